"""Is this output fused? Checks the shape that the project promises, with readers of its own.

A fused component nests no component, has exactly one core module with guest code (the others are carriers, whose
functions only forward through a table), and lowers nothing that it lifts itself: then no crossing is left to the
engine. A component without any core code has nothing to hold in one module and passes, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.sections import (
    ALIAS,
    CANON,
    COMPONENT,
    CORE_MODULE,
    EXPORT,
    IMPORT,
    INSTANCE,
    SORT_CORE,
    SORT_FUNC,
    SORT_INSTANCE,
    NotReadable,
    Reader,
    read_externs,
    sections,
)

CODE = 10
LOCAL_GET, I32_CONST, CALL_INDIRECT, RETURN_CALL_INDIRECT, END = 0x20, 0x41, 0x11, 0x13, 0x0B
LIFT, LOWER, RESOURCE_NEW, RESOURCE_DROP, RESOURCE_REP = 0, 1, 2, 3, 4
MEMORY, REALLOC, POST_RETURN, CALLBACK = 3, 4, 5, 7


@dataclass(slots=True)
class Shape:
    """What the scan of one component found."""

    nested_components: int = 0
    modules_with_code: int = 0
    carriers: int = 0
    own_lifts_lowered: int = 0


def assert_fused_shape(data: bytes) -> None:
    shape = scan(data)
    assert shape.nested_components == 0, f"{shape.nested_components} nested components are left"
    assert shape.modules_with_code <= 1, f"{shape.modules_with_code} core modules have code of their own"
    assert shape.own_lifts_lowered == 0, f"{shape.own_lifts_lowered} crossings are left to the engine"


@dataclass(slots=True)
class _Spaces:
    """Which functions are the component's own lifts, and which instances can hold one."""

    own_funcs: list[bool] = field(default_factory=list)
    own_instances: list[bool] = field(default_factory=list)

    def add(self, sort: int, *, own: bool) -> None:
        if sort == SORT_FUNC:
            self.own_funcs.append(own)
        elif sort == SORT_INSTANCE:
            self.own_instances.append(own)


def scan(data: bytes) -> Shape:
    shape, spaces = Shape(), _Spaces()
    for section, body in sections(data):
        if section == COMPONENT:
            shape.nested_components += 1
        elif section == CORE_MODULE:
            match _only_forwards(body):
                case False:
                    shape.modules_with_code += 1
                case True:
                    shape.carriers += 1
        elif section == IMPORT:
            for item in read_externs(body, exports=False):
                spaces.add(item.sort, own=False)
        elif section == EXPORT:
            for item in read_externs(body, exports=True):
                assert item.index is not None
                own = spaces.own_funcs if item.sort == SORT_FUNC else spaces.own_instances
                spaces.add(item.sort, own=item.sort in (SORT_FUNC, SORT_INSTANCE) and own[item.index])
        elif section == INSTANCE:
            for _ in range(Reader(body).u32()):
                spaces.add(SORT_INSTANCE, own=True)
        elif section == ALIAS:
            _scan_aliases(body, spaces)
        elif section == CANON and not shape.nested_components:
            shape.own_lifts_lowered += _scan_canons(body, spaces)
    return shape


def _scan_aliases(body: bytes, spaces: _Spaces) -> None:
    reader = Reader(body)
    for _ in range(reader.u32()):
        sort = reader.byte()
        if sort == SORT_CORE:
            reader.byte()
        target = reader.byte()
        first = reader.u32()
        if target == 2:
            reader.u32()
        else:
            reader.name()
        spaces.add(sort, own=target == 0 and spaces.own_instances[first])


def _scan_canons(body: bytes, spaces: _Spaces) -> int:
    """How many lowers of the section take a function that this component lifted; lifts join the space."""
    reader, found = Reader(body), 0
    for _ in range(reader.u32()):
        kind = reader.byte()
        if kind == LIFT:
            reader.byte()
            reader.u32()
            _skip_options(reader)
            reader.u32()
            spaces.add(SORT_FUNC, own=True)
        elif kind == LOWER:
            reader.byte()
            found += spaces.own_funcs[reader.u32()]
            _skip_options(reader)
        elif kind in (RESOURCE_NEW, RESOURCE_DROP, RESOURCE_REP):
            reader.u32()
        else:
            raise NotReadable(f"canon built-in {kind:#x}")
    return found


def _skip_options(reader: Reader) -> None:
    for _ in range(reader.u32()):
        if reader.byte() in (MEMORY, REALLOC, POST_RETURN, CALLBACK):
            reader.u32()


def _only_forwards(module: bytes) -> bool:
    """Whether every function of a core module just passes its parameters on through a table slot."""
    reader = Reader(module, 8)
    while reader.pos < len(module):
        section = reader.byte()
        body = reader.take(reader.u32())
        if section == CODE:
            code = Reader(body)
            return all(_is_forwarder(code.take(code.u32())) for _ in range(code.u32()))
    return True


def _is_forwarder(body: bytes) -> bool:
    reader = Reader(body)
    if reader.u32() != 0:
        return False
    opcode = reader.byte()
    while opcode == LOCAL_GET:
        reader.u32()
        opcode = reader.byte()
    if opcode != I32_CONST:
        return False
    reader.u32()
    if reader.byte() not in (CALL_INDIRECT, RETURN_CALL_INDIRECT):
        return False
    reader.u32()
    reader.u32()
    return reader.byte() == END and reader.pos == len(body)
