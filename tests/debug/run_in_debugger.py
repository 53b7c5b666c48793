"""Run an export of a component with the engine's native debugging information on: what a debugger is started with."""

from __future__ import annotations

import sys
from pathlib import Path

from wasmtime import Config, Engine, Store
from wasmtime import component as components


def main(path: str, name: str, argument: int) -> None:
    config = Config()
    config.debug_info = True
    config.cranelift_opt_level = "none"
    engine = Engine(config)
    store = Store(engine)
    instance = components.Linker(engine).instantiate(store, components.Component(engine, Path(path).read_bytes()))
    func = instance.get_func(store, name)
    assert func is not None
    print("result", func(store, argument))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
