"""What things are called at the edge of a core module: the convention of wit-component, called "legacy" there.

    import of a function      ns:pkg/iface@1.2.3  f                 root: $root  f
    handle of an imported     ns:pkg/iface@1.2.3  [resource-drop]r
    own resource              [export]ns:pkg/iface@1.2.3  [resource-new]r  [resource-rep]r  [resource-drop]r
    export of a function      ns:pkg/iface@1.2.3#f                  root: f
    its post-return           cabi_post_ and the export's name
    destructor                ns:pkg/iface@1.2.3#[dtor]r
    all functions together    memory, cabi_realloc, _initialize

It can say what a WIT world can say. What a component may have beyond that is refused here, by name and place. What is
async has more names (`async_names`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NoReturn

from meldpy.errors import Location, UnsupportedError
from meldpy.model.extern import ExternName, FuncType, InstanceType, TypeExtern
from meldpy.model.ids import ResourceId
from meldpy.model.linked import FuncItem, InstanceItem, LinkedGraph, TypeItem
from meldpy.model.valtype import ResourceType

MEMORY: Final = "memory"
REALLOC: Final = "cabi_realloc"
INITIALIZE: Final = "_initialize"
SECTION: Final = "component-type:fused"
_ROOT: Final = "$root"
_FEATURE: Final = "in a core output"


def import_name(graph: LinkedGraph, import_: int, path: tuple[str, ...]) -> tuple[str, str]:
    """Module and field of an imported function."""
    name = graph.imports[import_].name.name
    if not path:
        return _ROOT, name
    (field,) = path  # `check_world` has refused instances in instances
    return name, field


def export_name(interface: str | None, name: str) -> str:
    return name if interface is None else f"{interface}#{name}"


def post_return(name: str) -> str:
    return f"cabi_post_{name}"


def builtin_names(graph: LinkedGraph) -> dict[ResourceId, tuple[str, str]]:
    """For each resource type that the world names: the module of its built-ins, and its name there."""
    names: dict[ResourceId, tuple[str, str]] = {}
    for import_ in graph.imports:
        match import_.type:
            case InstanceType(exports=exports):
                for export in exports:
                    if isinstance(export.type, TypeExtern) and isinstance(export.type.type, ResourceType):
                        names.setdefault(export.type.type.id, (import_.name.name, export.name.name))
            case TypeExtern(type=ResourceType(id=id_)):
                names.setdefault(id_, (_ROOT, import_.name.name))
            case _:
                pass
    for export_, name, id_ in _exported_resources(graph):
        names.setdefault(id_, (f"[export]{export_}", name))
    return names


def dtor_names(graph: LinkedGraph) -> dict[ResourceId, str]:
    """The export that is the destructor of each resource type defined inside."""
    names: dict[ResourceId, str] = {}
    for export, name, id_ in _exported_resources(graph):
        names.setdefault(id_, export_name(export, f"[dtor]{name}"))
    return names


def _exported_resources(graph: LinkedGraph) -> Iterator[tuple[str, str, ResourceId]]:
    for export in graph.exports:
        if isinstance(export.item, InstanceItem):
            for name, item in export.item.exports:
                if isinstance(item, TypeItem) and isinstance(item.type, ResourceType):
                    yield export.name.name, name.name, item.type.id


# --- what has no name ---------------------------------------------------------------------------------------------
def check_world(graph: LinkedGraph) -> None:
    """Raise UnsupportedError for the first import or export that the convention has no name for."""
    for import_ in graph.imports:
        _check_name(import_.name, "the import", import_.location)
        match import_.type:
            case FuncType() | TypeExtern():
                _check_plain(import_.name, "the import", import_.location)
            case InstanceType(exports=exports):
                for export in exports:
                    if not isinstance(export.type, FuncType | TypeExtern):
                        _refuse(f"the import `{import_.name.name}` has an instance in an instance", import_.location)
                    _check_name(export.name, f"in the import `{import_.name.name}`, the item", import_.location)
            case _:
                _refuse(
                    f"the import `{import_.name.name}` is neither a function, a type nor an instance", import_.location
                )
    for outer in graph.exports:
        _check_name(outer.name, "the export", outer.location)
        match outer.item:
            case FuncItem():
                _check_plain(outer.name, "the export", outer.location)
            case TypeItem():
                _refuse(f"the export `{outer.name.name}` is a type outside of any interface", outer.location)
            case InstanceItem(exports=items):
                for name, item in items:
                    _check_name(name, f"in the export `{outer.name.name}`, the item", outer.location)
                    if isinstance(item, InstanceItem):
                        _refuse(f"the export `{outer.name.name}` has an instance in an instance", outer.location)


def _check_name(name: ExternName, what: str, location: Location) -> None:
    attributes = name.attributes
    if any(each is not None for each in (attributes.implements, attributes.version_suffix, attributes.external_id)):
        _refuse(f"{what} `{name.name}` has attributes in its name", location)


def _check_plain(name: ExternName, what: str, location: Location) -> None:
    """In a WIT world an interface's name stands for an interface."""
    if ":" in name.name:
        _refuse(f"{what} `{name.name}` is no interface under an interface's name", location)


def _refuse(reason: str, location: Location) -> NoReturn:
    raise UnsupportedError(
        _FEATURE, f"{reason}, for which core modules have no name", location, remedy="fuse without --core"
    )
