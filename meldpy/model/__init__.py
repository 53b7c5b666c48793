"""The typed, frozen data that the stages share. No behaviour, no imports beyond the standard library.

Two kinds of file live here. *As read from bytes*, where things are named by position in one index space:
`core` (core modules), `valtype`, `extern`, `canon` and `component` (components). *After resolve*, where things
have an identity: `linked` (the link-time evaluation of a composition; its functions are in `functions`, the immediates
of its built-ins in `builtins`, what became of imports in `bindings`), `facts` (what analysis proved about it), `code`
(functions we emit, whose symbolic references are in `symbols`), and `fused` (the merged module and its boundary, where
indices appear again because the output needs them).
"""
