"""From statements to what a fuse is given: an input for each `new`, and options that decide every import and export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, final

from meldpy.errors import Location
from meldpy.model.extern import ExternName
from meldpy.options import FuseInput
from meldpy.records import dataclass, field
from meldpy.resolver.semver import versioned
from meldpy.wac.model import Access, Export, Expression, Inferred, Named, New, Ref, Rest, Spread, WacError
from meldpy.wac.parse import parse, unsupported

Surface: TypeAlias = "Callable[[FuseInput], tuple[Sequence[str], Sequence[str]]]"
"""The names that a component imports (but for types) and exports."""

Provide: TypeAlias = "Callable[[str, str, Location], FuseInput]"
"""The component of a package, as an input of that name, for whoever wants it at that place."""


@final
@dataclass(frozen=True, slots=True)
class Composition:
    """Options as `FuseOptions` has them."""

    inputs: tuple[FuseInput, ...]
    links: tuple[str, ...]
    opens: tuple[str, ...]
    exports: tuple[str, ...]
    hides: tuple[str, ...]
    renames: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class _Instance:
    name: str
    imports: Sequence[str]
    exports: Sequence[str]


@final
@dataclass(frozen=True, slots=True)
class _Item:
    """An export of an instance, or what is at `path` (of one or two names) in it."""

    of: _Instance
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.of.name}:{'.'.join(self.path)}"


_Value: TypeAlias = "_Instance | _Item"


def compose(text: str, source: str, provide: Provide, surface: Surface) -> Composition:
    """The composition that the file describes. Raises WacError."""
    lowering = _Lowering(provide, surface)
    for statement in parse(text, source):
        if isinstance(statement, Export):
            lowering.export(statement)
        elif statement.name in lowering.values:
            raise WacError(f"`{statement.name}` is there twice", statement.at, remedy="choose another name")
        else:
            lowering.values[statement.name] = lowering.value(statement.value, statement.name)
    if not lowering.inputs:
        raise WacError("nothing is instantiated", Location(source), remedy="write `let name = new ns:package { … };`")
    return lowering.composition()


@final
@dataclass(slots=True)
class _Lowering:
    provide: Provide
    surface: Surface
    values: dict[str, _Value] = field(default_factory=dict)
    instances: list[_Instance] = field(default_factory=list)
    inputs: list[FuseInput] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    opens: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    renames: list[str] = field(default_factory=list)
    providers: set[str] = field(default_factory=set)

    def composition(self) -> Composition:
        hides = [
            f"{instance.name}:{name}"
            for instance in self.instances
            if instance.name not in self.providers
            for name in instance.exports
            if f"{instance.name}:{name}" not in self.exports
        ]
        lists = (self.links, self.opens, self.exports, hides, self.renames)
        return Composition(tuple(self.inputs), *(tuple(each) for each in lists))

    # --- values ------------------------------------------------------------------------------------------------------
    def value(self, expression: Expression, name: str | None = None) -> _Value:
        match expression:
            case Ref():
                return self.named(expression)
            case Access():
                return self.accessed(expression)
            case New():
                return self.new(expression, name)

    def named(self, ref: Ref) -> _Value:
        if ref.name not in self.values:
            known = ", ".join(f"`{name}`" for name in self.values) or "none"
            raise WacError(f"there is no `{ref.name}`", ref.at, remedy=f"`let` it first; there are: {known}")
        return self.values[ref.name]

    def accessed(self, access: Access) -> _Item:
        of = self.value(access.of)
        if isinstance(of, _Item):
            return _Item(of.of, (*of.path, access.name))
        return _Item(of, (self.chosen(of.exports, access.name, access.exact, access.at, f"`{of.name}` exports"),))

    def chosen(self, names: Sequence[str], name: str, exact: bool, at: Location, whose: str) -> str:
        """The one of `names` that is meant."""
        found = list(_meant(names, name, exact))
        if len(found) == 1:
            return found[0]
        listed = ", ".join(f"`{each}`" for each in (found or names)) or "nothing"
        if found:
            raise WacError(f"`{name}` can be any of {listed}", at, remedy="write the full name in quotes")
        raise WacError(f"{whose} no `{name}`", at, remedy=f"there are: {listed}")

    # --- instances ---------------------------------------------------------------------------------------------------
    def new(self, new: New, name: str | None) -> _Instance:
        input_ = self.provide(new.package, self.free(name, new.package), new.at)
        imports, exports = self.surface(input_)
        instance = _Instance(input_.name, imports, exports)
        whose = f"`{input_.name}` imports"
        given: dict[str, _Item | None] = {}
        rest = False
        for argument in new.arguments:
            match argument:
                case Named():
                    import_ = self.chosen(imports, argument.name, argument.exact, argument.at, whose)
                    self.give(given, import_, self.value(argument.value), argument.at)
                case Inferred():
                    value = self.named(argument.value)
                    wanted = value.path[-1] if isinstance(value, _Item) and value.path[-1] in imports else None
                    import_ = wanted or self.chosen(imports, argument.value.name, False, argument.at, whose)
                    self.give(given, import_, value, argument.at)
                case Spread():
                    self.spread(instance, given, argument)
                case Rest():
                    rest = True
        left = [import_ for import_ in imports if import_ not in given]
        if left and not rest:
            listed = ", ".join(f"`{import_}`" for import_ in left)
            raise WacError(
                f"`{input_.name}` imports {listed}, and nothing is given for it",
                new.at,
                remedy="give it, or leave it open with `...` at the end of the arguments",
            )
        self.inputs.append(input_)
        self.instances.append(instance)
        self.links += [f"{input_.name}:{import_}={item}" for import_, item in given.items()]
        self.opens += [f"{input_.name}:{import_}" for import_ in left]
        self.providers |= {item.of.name for item in given.values() if item is not None}
        return instance

    def free(self, name: str | None, package: str) -> str:
        """What the input is called: as `let` says, else as its package."""
        base = name or package.partition("@")[0].rpartition(":")[2]
        taken = {instance.name for instance in self.instances} | ({*self.values} if name is None else set())
        number = 1
        found = base
        while found in taken:
            number += 1
            found = f"{base}-{number}"
        return found

    def give(self, given: dict[str, _Item | None], import_: str, value: _Value, at: Location) -> None:
        if import_ in given:
            raise WacError(f"`{import_}` is given twice", at, remedy="leave one out")
        if isinstance(value, _Instance):
            found = [name for name in value.exports if _same(name, import_)]
            if len(found) != 1:
                raise unsupported(
                    f"a whole instance (`{value.name}`) as the argument `{import_}`",
                    at,
                    f'give the export that is meant: {value.name}["…"], or spread it: ...{value.name}',
                )
            value = _Item(value, (found[0],))
        given[import_] = value

    def spread(self, instance: _Instance, given: dict[str, _Item | None], spread: Spread) -> None:
        value = self.named(spread.value)
        if isinstance(value, _Item):
            raise unsupported("spreading an exported instance", spread.at, "give its exports one by one")
        for import_ in instance.imports:
            found = [name for name in value.exports if _same(name, import_)]
            if import_ not in given and found:
                given[import_] = _Item(value, (import_ if import_ in found else found[0],))

    # --- exports -----------------------------------------------------------------------------------------------------
    def export(self, export: Export) -> None:
        value = self.value(export.value)
        if isinstance(value, _Instance):
            if not export.spread:
                raise unsupported(
                    f"exporting a whole instance (`{value.name}`) as one", export.at, f"write `export {value.name}...;`"
                )
            self.exports += [f"{value.name}:{name}" for name in value.exports]
            return
        if export.spread or len(value.path) > 1:
            raise unsupported(
                "exporting what is inside an exported instance", export.at, "export the instance that has it"
            )
        self.exports.append(str(value))
        if export.as_ is not None and export.as_ != value.path[0]:
            self.renames.append(f"{value}={export.as_}")


def _meant(names: Sequence[str], name: str, exact: bool) -> Iterator[str]:
    """Those that are called so; a bare name may be the last part of an interface's, and a string lack its version."""
    if name in names:
        yield name
    elif exact:
        yield from (each for each in names if each.partition("@")[0] == name)
    else:
        yield from (each for each in names if each.partition("@")[0].rpartition("/")[2] == name)


def _same(export: str, import_: str) -> bool:
    """Whether an export is what an import asks for, by the exact name or the track of its version."""
    if export == import_:
        return True
    one, other = versioned(ExternName(export)), versioned(ExternName(import_))
    return one is not None and other is not None and one.track == other.track
