"""What the command line decides by hand: `--link` and `--open`, read against the inputs that there are.

The texts have no unambiguous grammar: a name of an input may hold a colon, the name of an import holds colons and may
hold an equals sign (`url=<…>`). So every way to cut a text is tried, and the one that names things which exist counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn, TypeVar

from meldpy.errors import LinkError, UsageError
from meldpy.model.extern import TypeExtern
from meldpy.model.valtype import ResourceType
from meldpy.resolver.follow import Key
from meldpy.resolver.inputs import Provision, parse_link
from meldpy.resolver.surface import Surface
from meldpy.resolver.values import InstanceValue, Item, TypeValue

T = TypeVar("T")


def linked_by_hand(surfaces: Sequence[Surface], links: Iterable[str]) -> dict[Key, Provision]:
    """The imports that `--link` decides. UsageError for a text of another form, LinkError for names of nothing."""
    decided: dict[Key, Provision] = {}
    for text in links:
        key, provision = _link(surfaces, text)
        if key in decided:
            raise LinkError(f"two links decide {_import(surfaces, key)}", remedy="leave out one --link")
        decided[key] = provision
        _refuse_no_resource(surfaces, key, provision)
    return decided


def opened_by_hand(surfaces: Sequence[Surface], opens: Iterable[str]) -> frozenset[Key]:
    """The imports that `--open` leaves to the host. UsageError and LinkError likewise."""
    return frozenset(_open(surfaces, text) for text in opens)


def _open(surfaces: Sequence[Surface], text: str) -> Key:
    name, colon, import_ = text.partition(":")
    if not (name and colon and import_):
        raise UsageError(f"`{text}` is not of the form INPUT:IMPORT")
    return _only(text, _importers(surfaces, text)) or _no_importer(surfaces, text)


def only_importer(input_: str, imports: Sequence[str], text: str) -> str:
    """The import that `--open` means where there is one input. LinkError if it has no such import."""
    name = text.removeprefix(f"{input_}:")
    if name == text:
        raise unknown(f"`{text}`: no input is called so", [input_])
    if name not in imports:
        raise unknown(f"input `{input_}` imports no `{name}`", imports)
    return name


def refuse_both(surfaces: Sequence[Surface], linked: Iterable[Key], opened: frozenset[Key]) -> None:
    """LinkError if an import is linked and left open."""
    for key in linked:
        if key in opened:
            raise LinkError(
                f"a link decides {_import(surfaces, key)}, and it is to be left open",
                remedy="leave out the --link, or the --open",
            )


def _import(surfaces: Sequence[Surface], key: Key) -> str:
    surface = surfaces[key[0]]
    return f"the import `{surface.imports[key[1]].name.name}` of input `{surface.input.name}`"


# --- reading -----------------------------------------------------------------------------------------------------
def _link(surfaces: Sequence[Surface], text: str) -> tuple[Key, Provision]:
    parse_link(text)
    cuts = [(text[:at], text[at + 1 :]) for at, character in enumerate(text) if character == "="]
    found = [
        (key, provision)
        for left, right in cuts
        for key in _importers(surfaces, left)
        for provision in _providers(surfaces, right)
    ]
    return _only(text, found) or _no_link(surfaces, cuts)


def _only(text: str, found: Sequence[T]) -> T | None:
    """What a text means; None for nothing, LinkError if it can be read in two ways."""
    if len(found) > 1:
        remedy = "give one of the inputs another name: NAME=FILE"
        raise LinkError(f"`{text}` can be read in {len(found)} ways, with these names of inputs", remedy=remedy)
    return found[0] if found else None


def _sides(surfaces: Sequence[Surface], text: str) -> Iterator[tuple[int, str]]:
    """The ways to read INPUT:NAME: the number of an input, and the rest."""
    for number, surface in enumerate(surfaces):
        if text.startswith(f"{surface.input.name}:"):
            yield number, text[len(surface.input.name) + 1 :]


def _importers(surfaces: Sequence[Surface], text: str) -> list[Key]:
    return [
        (number, at)
        for number, name in _sides(surfaces, text)
        for at, import_ in enumerate(surfaces[number].imports)
        if import_.name.name == name
    ]


def _providers(surfaces: Sequence[Surface], text: str) -> list[Provision]:
    found = (_exported(surfaces[number], number, name) for number, name in _sides(surfaces, text))
    return [provision for provision in found if provision is not None]


# --- what means nothing ------------------------------------------------------------------------------------------
def _no_link(surfaces: Sequence[Surface], cuts: Sequence[tuple[str, str]]) -> NoReturn:
    """Raises the error for the cut of which most is known."""
    left, right = max(cuts, key=lambda cut: (bool(_importers(surfaces, cut[0])), any(_sides(surfaces, cut[0]))))
    if not _importers(surfaces, left):
        _no_importer(surfaces, left)
    number, name = _side(surfaces, right)
    surface = surfaces[number]
    raise unknown(f"input `{surface.input.name}` exports no `{name}`", (export.name for export in surface.exports))


def _no_importer(surfaces: Sequence[Surface], text: str) -> NoReturn:
    number, name = _side(surfaces, text)
    surface = surfaces[number]
    raise unknown(f"input `{surface.input.name}` imports no `{name}`", (i.name.name for i in surface.imports))


def _side(surfaces: Sequence[Surface], text: str) -> tuple[int, str]:
    """The way to read INPUT:NAME with the longest name of an input; LinkError with all of them if there is none."""
    sides = list(_sides(surfaces, text))
    if not sides:
        raise unknown(f"no input is called `{text.partition(':')[0]}`", (s.input.name for s in surfaces))
    return max(sides, key=lambda side: len(surfaces[side[0]].input.name))


def unknown(reason: str, candidates: Iterable[str]) -> LinkError:
    """An error for a name that means nothing; the candidates are listed as causes."""
    listed = tuple(f"`{candidate}`" for candidate in dict.fromkeys(candidates))
    return LinkError(reason, causes=("there are: " + (", ".join(listed) or "none"),))


# --- exports, and what is in them -------------------------------------------------------------------------------
def _exported(surface: Surface, provider: int, text: str) -> Provision | None:
    """The export called `text`, or what `text` names inside an exported instance: INSTANCE.NAME."""
    names = [export.name for export in surface.exports]
    if text in names:
        return Provision(provider, text)
    for name in names:
        path = _path(surface.items[name][1], text[len(name) + 1 :]) if text.startswith(f"{name}.") else None
        if path is not None:
            return Provision(provider, name, path)
    return None


def _path(item: Item, text: str) -> tuple[str, ...] | None:
    """The path to what `text` names inside `item`; dots stand between instances, and in names of methods."""
    if not isinstance(item, InstanceValue):
        return None
    if text in item.exports:
        return (text,)
    for name, (_, inner) in item.exports.items():
        path = _path(inner, text[len(name) + 1 :]) if text.startswith(f"{name}.") else None
        if path is not None:
            return (name, *path)
    return None


def _refuse_no_resource(surfaces: Sequence[Surface], key: Key, provision: Provision) -> None:
    """LinkError if import `key` is a resource type and the export is none: what belongs to it would be misled."""
    importer, provider = surfaces[key[0]], surfaces[provision.provider]
    import_ = importer.imports[key[1]]
    item = provision.find(provider.items)
    is_resource = isinstance(item, TypeValue) and isinstance(item.type, ResourceType)
    if isinstance(import_.type, TypeExtern) and import_.type.bound_resource and not is_resource:
        raise LinkError(
            f"`{import_.name.name}`, imported by `{importer.input.name}`, does not fit what `{provider.input.name}`"
            f" exports as `{provision}`",
            import_.location,
            causes=(
                "a resource type is declared, and another type is provided"
                if isinstance(item, TypeValue)
                else "a resource type is declared, and no type is provided",
            ),
            remedy="link it to a resource type: one inside an interface is called INTERFACE.NAME",
        )
