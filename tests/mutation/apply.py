"""Puts a mutant into a living process.

Functions first: the module's changed source is compiled and the code object of the changed function replaces that of
the living one, so whoever holds the function (`from x import y`, a decorator, a table of functions) has the mutant.
What runs once, when a module is imported, cannot be changed that way; `serve_changed` makes a process import the
changed text in place of the file instead, and must come before the first import of meldpy.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import final

from tests.mutation.model import ROOT, Mutant

Living = dict[tuple[str, str], list[FunctionType]]


class NoProgramError(Exception):
    """The mutant does not compile, assemble or validate."""


def living_functions() -> Living:
    """Every function of meldpy in this process that is not local to another, by file and qualified name."""
    found: Living = {}
    for item in gc.get_objects():
        if isinstance(item, FunctionType) and item.__code__.co_filename.startswith(str(ROOT / "meldpy")):
            found.setdefault((item.__code__.co_filename, item.__code__.co_qualname), []).append(item)
    return found


def apply_to_living(mutant: Mutant, text: str, living: Living) -> None:
    """Change this process. `text`: that of the file without the change."""
    if mutant.is_wat:
        (_replace_kernel if mutant.in_kernel else _replace_template)(mutant, text)
        return
    path = str(ROOT / mutant.file)
    changed = compile_mutant(mutant, text)
    for code in _outer_functions(changed):
        if code.co_qualname == mutant.function:
            for function in living[path, code.co_qualname]:
                # A property's getter and setter have one name; so has what `if` defines twice.
                if function.__code__.co_firstlineno == code.co_firstlineno:
                    function.__code__ = code


def keep_nothing() -> None:
    """What is kept on disk was made from the text without a mutant."""
    from meldpy import kept

    kept.read = lambda name, source: None
    kept.write = lambda name, source, data: None


def compile_mutant(mutant: Mutant, text: str) -> CodeType:
    try:
        return compile(mutant.applied(text), str(ROOT / mutant.file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise NoProgramError(str(error)) from error


def _outer_functions(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if "<locals>" not in constant.co_qualname:
                yield constant
            if not constant.co_flags & 0x2:  # a class body; CO_NEWLOCALS marks functions
                yield from _outer_functions(constant)


def _replace_template(mutant: Mutant, text: str) -> None:
    """The runtime library reads this text from now on."""
    import re

    import meldpy.runtime as runtime

    original = runtime._text
    changed = re.sub(r"[ ]*;;.*", "", mutant.applied(text))
    name = mutant.file.rsplit("/", 1)[1]
    runtime._text = lambda file: changed if file == name else original(file)
    _check_assembles(name)


def _check_assembles(name: str) -> None:
    """Every module made of this text, in both flavours, is valid; else the mutant is no program."""
    import wasmtime

    import meldpy.runtime as runtime

    config = wasmtime.Config()
    config.wasm_memory64 = True
    engine = wasmtime.Engine(config)
    texts = [item for vectors in (True, False) for item in runtime.sources(vectors=vectors).items()]
    for module, text in texts:
        # a file that is a part of another has its name in front
        if name.startswith(module.split("/")[0]):
            try:
                wasmtime.Module.validate(engine, bytes(wasmtime.wat2wasm(text)))
            except wasmtime.WasmtimeError as error:
                raise NoProgramError(str(error)) from error


def _replace_kernel(mutant: Mutant, text: str) -> None:
    """Kernels are made of this text from now on, and every one that has it is made at once: else it is no program."""
    import wasmtime

    from meldpy.kernel import loader

    keep_nothing()
    original, name = loader.text_of, Path(mutant.file).name
    changed = mutant.applied(text)
    loader.text_of = lambda sources: "\n".join(changed if each == name else original((each,)) for each in sources)
    forms: list[tuple[tuple[str, ...], Callable[[], object]]] = [
        (loader._SOURCES, loader.kernel),
        ((*loader._TRACING_SOURCES, loader._POSITIONS), loader.tracing_kernel),
        (loader._ZERO_SOURCES, loader.zero_kernel),
    ]
    for tracing in (False, True):
        for sources, make in (
            (loader._REBASING_SOURCES, loader.rebasing_kernel),
            (loader._LOWERING_SOURCES, loader.lowering_kernel),
        ):
            forms.append(((*sources, loader._POSITIONS) if tracing else sources, partial(make, tracing)))
    kernels = (loader.kernel, loader.tracing_kernel, loader.zero_kernel, loader.rebasing_kernel, loader.lowering_kernel)
    for each in kernels:
        each.cache_clear()
    try:
        for sources, make_it in forms:
            if name in sources:
                make_it()
    except wasmtime.WasmtimeError as error:
        raise NoProgramError(str(error)) from error


@final
class _Loader(SourceFileLoader):
    """Gives the mutant's code; nothing of it is cached."""

    code: CodeType

    def get_code(self, fullname: str) -> CodeType:
        return self.code


@final
class _Finder(MetaPathFinder):
    def __init__(self, name: str, path: str, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _Loader(fullname, self._path)
        loader.code = self._code
        package = self._path.endswith("__init__.py")
        return spec_from_file_location(
            fullname, self._path, loader=loader, submodule_search_locations=[self._path[:-12]] if package else None
        )


def serve_changed(mutant: Mutant, text: str) -> None:
    """Imports of the mutant's module get the changed text from now on."""
    assert not any(name.split(".")[0] == "meldpy" for name in sys.modules), "meldpy is imported already"
    name = mutant.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    sys.meta_path.insert(0, _Finder(name, str(ROOT / mutant.file), compile_mutant(mutant, text)))
