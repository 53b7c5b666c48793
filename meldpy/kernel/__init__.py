"""The byte-level loops over function bodies: `reindex` rewrites them, `scan` lists what they refer to.

Both are written in WAT and run by the embedded wasmtime (`loader`); `opcodes` is the instruction table they work from.
"""
