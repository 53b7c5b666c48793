"""What a core output's own bytes say about its edge: functions with their types, resource types, string encoding.

The world comes from the `component-type` section, the names follow from it (`core_output.names` has the convention).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import final

from meldpy.binary.decode import decode_module
from meldpy.cabi import Context
from meldpy.errors import DecodeError, Location, UnsupportedError
from meldpy.model.canon import StringEncoding
from meldpy.model.component import Component, CustomSection
from meldpy.model.core import CoreModule, FuncImportType, RawCustom
from meldpy.model.extern import ComponentType, FuncType, InstanceType, NamedExtern, TypeExtern
from meldpy.model.ids import ResourceId
from meldpy.model.linked import TypeItem
from meldpy.model.valtype import ResourceType
from meldpy.pipeline import FuseInput, FuseOptions, decode, link
from meldpy.records import dataclass

_SECTION = "component-type"
_ENCODING = "wit-component-encoding"
_ENCODINGS = (StringEncoding.UTF8, StringEncoding.UTF16, StringEncoding.LATIN1_UTF16)


@final
@dataclass(frozen=True, slots=True)
class Function:
    """interface: None at the root. module, field: of an import; `field` alone of an export. context: how it is lifted
    or lowered; a function that is imported in two ways is there twice. callback: of an async lift, the export."""

    interface: str | None
    name: str
    type: FuncType
    module: str
    field: str
    context: Context
    callback: str | None = None

    @property
    def label(self) -> str:
        return self.name if self.interface is None else f"{self.interface}#{self.name}"


@final
@dataclass(frozen=True, slots=True)
class Resource:
    """A resource type. imported: the host defines it."""

    id: ResourceId
    interface: str | None
    name: str
    imported: bool

    @property
    def builtins(self) -> str:
        """The module of its built-ins."""
        interface = "$root" if self.interface is None else self.interface
        return interface if self.imported else f"[export]{interface}"


@final
@dataclass(frozen=True, slots=True)
class Surface:
    """imports, exports: functions, in order of the world. resources: by id. world: all of it, as a type."""

    module: CoreModule
    encoding: StringEncoding
    imports: tuple[Function, ...]
    exports: tuple[Function, ...]
    resources: Mapping[ResourceId, Resource]
    world: ComponentType


def read_surface(data: bytes, source: str = "core module") -> Surface:
    """Raises DecodeError for a module without a world or its encoding of strings; UnsupportedError for one with several
    worlds, or that imports more than functions."""
    module = decode_module(data, source)
    sections = world_sections(module)
    if not sections:
        raise DecodeError(
            f"the core module has no {_SECTION} section", Location(source), remedy="make it with `meld fuse --core`"
        )
    if len(sections) > 1:
        raise UnsupportedError(
            "core module",
            "it has several worlds",
            Location(source),
            remedy="make it with `meld fuse --core`, which writes one",
        )
    for import_ in module.imports:
        if not isinstance(import_.type, FuncImportType):
            raise UnsupportedError(
                "core module",
                f"it imports `{import_.module}` `{import_.name}`, which is no function",
                Location(source),
                remedy="make it with `meld fuse --core`, whose modules keep their memory to themselves",
            )
    item = FuseInput(_SECTION, source, bytes(sections[0].data))
    component = decode(item)
    graph = link([(item, component)], FuseOptions())
    world = _world([export.item for export in graph.exports], source)
    resources: dict[ResourceId, Resource] = {}
    for externs, imported in ((world.imports, True), (world.exports, False)):
        for resource in _resources(externs, imported):
            resources.setdefault(resource.id, resource)
    return Surface(
        module,
        _encoding(component, source),
        tuple(_imports(world.imports, {(each.module, each.name) for each in module.imports})),
        tuple(_exports(world.exports, {each.name for each in module.exports})),
        resources,
        world,
    )


def world_sections(module: CoreModule) -> list[RawCustom]:
    """The custom sections that say what the module's imports and exports are in a world."""
    customs = (custom.section for custom in module.customs)
    return [each for each in customs if isinstance(each, RawCustom) and each.name.startswith(_SECTION)]


def _world(items: list[object], source: str) -> ComponentType:
    """The component type in the component type that the section exports."""
    for item in items:
        if isinstance(item, TypeItem) and isinstance(item.type, ComponentType):
            for export in item.type.exports:
                if isinstance(export.type, ComponentType):
                    return export.type
    raise DecodeError(f"the {_SECTION} section holds no world", Location(source))


def _encoding(component: Component, source: str) -> StringEncoding:
    for section in component.sections:
        if isinstance(section, CustomSection) and section.section.name == _ENCODING:
            content = bytes(section.section.data)
            if len(content) == 2 and content[1] < len(_ENCODINGS):
                return _ENCODINGS[content[1]]
    raise DecodeError(
        f"the {_SECTION} section does not say how strings are encoded",
        Location(source),
        remedy="make it with `meld fuse --core`",
    )


_LOWERED = "[async-lower]"
_LIFTED = {"[async-lift]": Context.CALLBACK_LIFT, "[async-lift-stackful]": Context.STACKFUL_LIFT}


def _imports(externs: tuple[NamedExtern, ...], found: Container[tuple[str, str]]) -> Iterator[Function]:
    for interface, name, type_ in _functions(externs):
        module = "$root" if interface is None else interface
        lowered = (module, f"{_LOWERED}{name}") in found
        if lowered:
            yield Function(interface, name, type_, module, f"{_LOWERED}{name}", Context.ASYNC_LOWER)
        if (module, name) in found or not lowered:
            yield Function(interface, name, type_, module, name, Context.LOWER)


def _exports(externs: tuple[NamedExtern, ...], found: Container[str]) -> Iterator[Function]:
    for interface, name, type_ in _functions(externs):
        plain = name if interface is None else f"{interface}#{name}"
        mark = next((mark for mark in _LIFTED if f"{mark}{plain}" in found), "")
        context, callback = _LIFTED.get(mark, Context.LIFT), f"[callback]{mark}{plain}"
        with_callback = context is Context.CALLBACK_LIFT
        yield Function(interface, name, type_, "", f"{mark}{plain}", context, callback if with_callback else None)


def _functions(externs: tuple[NamedExtern, ...]) -> Iterator[tuple[str | None, str, FuncType]]:
    """Every function of the world: its interface, None at the root, its name and type."""
    for extern in externs:
        match extern.type:
            case FuncType() as type_:
                yield None, extern.name.name, type_
            case InstanceType(exports=items):
                for item in items:
                    if isinstance(item.type, FuncType):
                        yield extern.name.name, item.name.name, item.type
            case _:
                pass


def _resources(externs: tuple[NamedExtern, ...], imported: bool) -> Iterator[Resource]:
    for extern in externs:
        match extern.type:
            case TypeExtern(type=ResourceType(id=id_)):
                yield Resource(id_, None, extern.name.name, imported)
            case InstanceType(exports=items):
                for item in items:
                    if isinstance(item.type, TypeExtern) and isinstance(item.type.type, ResourceType):
                        yield Resource(item.type.type.id, extern.name.name, item.name.name, imported)
            case _:
                pass
