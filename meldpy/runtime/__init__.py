"""The runtime library: core modules in WAT that are linked into fused output. This package only delivers their text.

What needs loops over guest memory is written here, once, instead of being emitted instruction by instruction:
the lifting and lowering of strings (`string_source.wat`, `strings.wat`). So is what needs a state of its own: the
handle tables (`handles.wat`, with `handles.py` for what emitted code says to it), the memory in which values wait
at the outer edge (`boundary.wat`), and tasks, streams and futures (`waitables.wat` first, then `tasks.wat`,
`streams.wat`, `roots.wat`; for what is the engine's, `outer.wat`, `hosts.wat`, `ends.wat`, `heap.wat`). A module of
the library is bound to its memories and functions by `adapt` (`RuntimeInstance`) and merged like any core module;
functions that nothing reaches are dropped by the merger. Assembling the text is the pipeline's affair, on demand.

An instruction names its memory statically and the address type is part of its operands' types, so a WAT file here
is a template over the *shape* of its memories. In a template `S` and `D` stand for the address type of the source
and the destination memory (`S.add`, `D.const 1`, `(param $ptr S)`), `C` for the narrower of the two, and
`D.from_S` for the conversion of an unsigned number, which is no instruction at all between equal types.

A module's name says which template it is and for which shapes: `string_source/32`, `strings/32-64`. A `p` behind
the width marks a memory with pages of one byte (custom-page-sizes), where that matters: `string_source/32p`.

The whole library has two flavours under the same names: with vectors, and for engines without SIMD. In a template
`(@vectors …)` and `(@scalars …)` mark what one of them has alone, and `(@include FILE)` stands for a file's text.
Likewise `(@apart …)` and `(@beside …)` where a template stands for two modules, of which the second has no memory of
its own (`boundary`, `boundary/beside`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import final

from meldpy.records import dataclass, replace
from meldpy.runtime.handles import (
    HANDLES,
    MAX_RESOURCE_TYPES,
    MAX_TABLES,
    SET_TAG,
    SUBTASK_TAG,
    end_tag,
    resource_tag,
    table_address,
)
from meldpy.runtime.macros import choose, expand

__all__ = [
    "BESIDE",
    "BOUNDARY",
    "ENDS",
    "FIRST_PAGES",
    "GATES",
    "HANDLES",
    "HEAP",
    "HOSTS",
    "MAX_RESOURCE_TYPES",
    "MAX_TABLES",
    "OUTER",
    "ROOTS",
    "SET_TAG",
    "STREAMS",
    "SUBTASK_TAG",
    "TASKS",
    "WAITABLES",
    "MemoryShape",
    "end_tag",
    "everything",
    "resource_tag",
    "sources",
    "string_source",
    "strings",
    "table_address",
]

BOUNDARY = "boundary"
"""The name of the boundary memory's module. It must be instantiated once, since it is one stack."""

BESIDE = "boundary/beside"
"""The same, in the memory of the handles. No async runtime may work in that memory too."""

WAITABLES, TASKS, STREAMS, ROOTS = "waitables", "tasks", "streams", "roots"
"""The modules of the async runtime. Each must be instantiated once; all of them work in the memory of the handles."""

FIRST_PAGES: Mapping[str, int] = {HANDLES: 4, BOUNDARY: 1}
"""The memories that begin without a page, and how many pages they take when they are first used."""

GATES = "gates"
"""That for calls that wait to start."""

OUTER, HOSTS, ENDS = "outer", "hosts", "ends"
"""Those of them for calls of the host's async functions, and for ends that the host has."""

HEAP = "heap"
"""The name of the module with the memory in which values of such calls wait. It must be instantiated once."""

_WASM_PAGE_LOG2 = 16


@final
@dataclass(frozen=True, slots=True)
class MemoryShape:
    """What a template must know about a memory: its address type, and the log2 of its page size (0 or 16)."""

    memory64: bool = False
    page_size_log2: int = _WASM_PAGE_LOG2

    @property
    def address_type(self) -> str:
        return "i64" if self.memory64 else "i32"

    @property
    def utf16_tag(self) -> int:
        """Spec: utf16_tag."""
        return 1 << (63 if self.memory64 else 31)

    @property
    def width(self) -> int:
        return 64 if self.memory64 else 32


def string_source(source: MemoryShape) -> str:
    """The name of the module that checks strings in a source memory of this shape."""
    return f"string_source/{_source_name(source)}"


def strings(source: MemoryShape, destination: MemoryShape) -> str:
    """The name of the module that copies and transcodes strings between memories of these shapes."""
    return f"strings/{_source_name(source)}-{destination.width}"


def _source_name(source: MemoryShape) -> str:
    return f"{source.width}{'' if source.page_size_log2 == _WASM_PAGE_LOG2 else 'p'}"


def sources(*, vectors: bool = True) -> Mapping[str, str]:
    """WAT text by module name, for every module of the library. Text is made when it is asked for."""
    return _LIBRARIES[vectors]


@cache
def everything() -> bytes:
    """All that decides what the texts are: the files of this package."""
    files = sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in (".wat", ".py"))
    return b"\0".join(each for path in files for each in (path.name.encode(), path.read_bytes()))


@final
class _Library(Mapping[str, str]):
    """Every instance of every template, by name."""

    def __init__(self, vectors: bool) -> None:
        self._vectors = vectors
        self._modules: dict[str, tuple[str, dict[str, MemoryShape]]] = {}
        widths = (MemoryShape(memory64=False), MemoryShape(memory64=True))
        for source in widths:
            for shape in (source, replace(source, page_size_log2=0)):
                self._modules[string_source(shape)] = ("string_source.wat", {"S": shape})
                for destination in widths:
                    self._modules[strings(shape, destination)] = ("strings.wat", {"S": shape, "D": destination})
        self._modules[HANDLES] = ("handles.wat", {})
        self._modules[BOUNDARY] = self._modules[BESIDE] = ("boundary.wat", {})
        for name in (WAITABLES, TASKS, STREAMS, ROOTS, GATES, OUTER, HOSTS, ENDS, HEAP):
            self._modules[name] = (f"{name}.wat", {})

    def __getitem__(self, name: str) -> str:
        file, shapes = self._modules[name]
        return _instantiate(_template(file, self._vectors, name == BESIDE), shapes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


_LIBRARIES = {vectors: _Library(vectors) for vectors in (True, False)}

# `D.from_S`, or a letter that stands for a type where WAT has one (`S`, `S.add`), or a constant (`S_TAG`). A name
# such as `$src` or `$S` is none of these.
_PLACEHOLDER = re.compile(
    r"(?<![$\w.])(?:(?P<to>[SDC]|i32|i64)\.from_(?P<source>[SDC]|i32|i64)|(?P<type>[SDC])|(?P<const>[SD]_(?:TAG|PAGE_LOG2)))"
    r"\b"
)
_CONVERSIONS = {
    ("i32", "i32"): "",
    ("i64", "i64"): "",
    ("i64", "i32"): "i64.extend_i32_u",
    ("i32", "i64"): "i32.wrap_i64",
}


def _instantiate(template: str, shapes: Mapping[str, MemoryShape]) -> str:
    """The template's text with every placeholder outside of comments replaced."""
    types = {letter: shape.address_type for letter, shape in shapes.items()}
    types["C"] = "i32" if "i32" in types.values() else "i64"
    types |= {"i32": "i32", "i64": "i64"}
    constants = {f"{letter}_TAG": f"{shape.utf16_tag:#x}" for letter, shape in shapes.items()}
    constants |= {f"{letter}_PAGE_LOG2": str(shape.page_size_log2) for letter, shape in shapes.items()}

    def concrete(match: re.Match[str]) -> str:
        if match["to"]:
            return _CONVERSIONS[types[match["to"]], types[match["source"]]]
        if match["type"]:
            return types[match["type"]]
        return constants[match["const"]]

    return _PLACEHOLDER.sub(concrete, template)


@cache
def _template(file: str, vectors: bool, beside: bool) -> str:
    """The text of a template in one flavour, without its comments."""
    text = choose(_text(file), *(("vectors", "scalars") if vectors else ("scalars", "vectors")))
    text = choose(text, *(("beside", "apart") if beside else ("apart", "beside")))
    return expand(_INCLUDE.sub(lambda match: _text(match[1]), text))


def _text(file: str) -> str:
    return re.sub(r"[ ]*;;.*", "", Path(__file__).with_name(file).read_text(encoding="utf-8"))


_INCLUDE = re.compile(r"\(@include ([\w.]+)\)")
