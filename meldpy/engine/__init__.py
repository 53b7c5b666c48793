"""The engines: wasmtime embedded, and the `wasm-tools` command where it is installed.

The job: say whether bytes are valid (`validate`), parse the text format (`text`), run components (`run`), and call
`wasm-tools` (`tools`). It knows nothing of how fused output is made. Importing this package does not import
wasmtime; each module does, because it costs as much as a small fuse.
"""
