"""Modules that are WebAssembly components, in this process.

The job: a `ModuleInstance` over one guest of the engine (`instance`), and the functions of `meld:host` that it imports,
made from its `Services` (`imports`). Limits and deadlines are the engine's; what a trap means is the lifecycle's.
"""
