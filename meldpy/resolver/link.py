"""Several inputs, linked: a root without code that instantiates each of them, providers first.

An input's import is bound to another input's export (`match`) or to an import of the whole (`worldunion`). Whether
the type fits is checked when it is bound: by then the types it uses have been bound too, so that a resource type is
compared as what it really is. Inside an input everything goes as in any other component.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import count
from posixpath import normpath
from typing import final

from meldpy.errors import LinkError, Location
from meldpy.model.bindings import OpenImport
from meldpy.model.component import Import
from meldpy.model.extern import TypeExtern
from meldpy.model.ids import InstanceId
from meldpy.resolver.binding import Binder, bindings
from meldpy.resolver.builder import Builder
from meldpy.resolver.determined import Determined, Importable
from meldpy.resolver.evaluate import Evaluator
from meldpy.resolver.exports import choose_exports
from meldpy.resolver.frame import Frame
from meldpy.resolver.inputs import ResolveOptions, ResolverInput
from meldpy.resolver.match import Matching, match_imports, needs
from meldpy.resolver.names import free, strong
from meldpy.resolver.nearmiss import open_imports, words
from meldpy.resolver.order import in_order
from meldpy.resolver.outer import OuterExports, outer_import
from meldpy.resolver.sides import type_diff
from meldpy.resolver.spaces import Place
from meldpy.resolver.surface import Surface, introduced, surface
from meldpy.resolver.typeowners import Candidate, mentioned_by
from meldpy.resolver.values import ComponentScope, ComponentValue, Item
from meldpy.resolver.worldunion import merge_imports

COMPOSITION = "composition"
"""What the root is called when it is not an input."""


def link_inputs(inputs: Sequence[ResolverInput], options: ResolveOptions, evaluator: Evaluator) -> None:
    """Links and evaluates `inputs` (two or more) into the evaluator's builder. LinkError if they do not fit."""
    refuse_repeated(inputs)
    surfaces = [surface(input_, options.caps, evaluator.types.nodes) for input_ in inputs]
    matching = match_imports(surfaces, options)
    evaluator.builder.open_imports = open_imports(surfaces, matching)
    evaluator.builder.bindings = tuple(bindings(surfaces, matching))
    if options.strict:
        refuse_open(evaluator.builder.open_imports, options, surfaces)
    _Link(surfaces, matching, evaluator).run(options)


def refuse_repeated(inputs: Sequence[ResolverInput]) -> None:
    """LinkError if two inputs have the same name. One file under two names is two instances."""
    names: dict[str, ResolverInput] = {}
    for input_ in inputs:
        if (other := names.setdefault(input_.name, input_)) is not input_:
            if normpath(input_.source) == normpath(other.source):
                source = input_.source
                remedy = f"for two instances of it, name them: NAME={source} OTHER={source}"
                raise LinkError(f"`{source}` is given twice", remedy=remedy)
            raise LinkError(
                f"`{other.source}` and `{input_.source}` are both called `{input_.name}`",
                remedy=f"name one of them otherwise: NAME={input_.source}",
            )


def refuse_open(imports: Iterable[OpenImport], options: ResolveOptions, surfaces: Sequence[Surface] = ()) -> None:
    """LinkError if one of these imports may not stay open under --strict."""
    refused = [
        import_
        for import_ in imports
        if not import_.name.name.startswith("wasi:")
        and not any(fnmatchcase(import_.name.name, pattern) for pattern in options.allow_imports)
    ]
    if refused:
        error = LinkError(
            "imports are left open, which --strict refuses",
            refused[0].location,
            causes=tuple(map(_open_words, refused)),
            remedy="provide them by another input, or allow them with --allow-import PATTERN or --open INPUT:IMPORT",
        )
        error.diff = next((found for each in refused if (found := _nearest(each, surfaces))), ())
        raise error


def _nearest(import_: OpenImport, surfaces: Sequence[Surface]) -> tuple[str, ...]:
    """How the type of an open import differs from what comes nearest, if that is an export as a whole."""
    by_name = {surface.input.name: surface for surface in surfaces}
    for miss in import_.near[:1]:
        found = by_name[miss.provider].items.get(miss.export)
        types = [each.type for each in by_name[import_.importer].imports if each.name.name == import_.name.name]
        if found is not None and types:
            return type_diff(import_.name.name, types[0], found[1])
    return ()


def _open_words(import_: OpenImport) -> str:
    near = "".join(f"; {words(miss, import_.name)}" for miss in import_.near)
    return f"`{import_.name.name}`, imported by `{import_.importer}`{near}"


def export_chosen(
    candidates: Sequence[Candidate],
    options: ResolveOptions,
    builder: Builder,
    determined: Sequence[Determined] = (),
) -> None:
    """Gives the whole those of `candidates` that it exports, and the imports whose names these need.

    Notes what else people may want to know of them.
    """
    named = {node for import_ in builder.imports for node in introduced(import_.type)}
    importable = Importable(determined, named, builder.is_defined)
    choice = choose_exports(candidates, options, builder.is_defined, importable, determined, builder.open_imports)
    taken = {strong(import_.name.name) for import_ in builder.imports}
    for type_ in importable.needed(node for c in choice.exports for node in mentioned_by(c.item)):
        name = free(type_.name, taken)
        taken.add(strong(name.name))
        outer_import(name, TypeExtern(type_.type), type_.location, builder)
    exports = OuterExports(builder)
    builder.exports += [exports.export(c.name, c.item, c.location) for c in choice.exports]
    builder.exported_for_types = tuple(c.full_name for c in choice.for_types)
    builder.kept_inside = tuple(c.full_name for c in choice.inside)


@final
class _Link:
    def __init__(self, surfaces: Sequence[Surface], matching: Matching, evaluator: Evaluator) -> None:
        self.surfaces = surfaces
        self.matching = matching
        self.evaluator = evaluator
        self.builder: Builder = evaluator.builder
        self.binder = Binder(surfaces, matching, evaluator)

    def run(self, options: ResolveOptions) -> None:
        root = self.builder.instance(None, COMPOSITION, None, Location(COMPOSITION))
        binder = self.binder
        for merged in merge_imports(self.surfaces, self.matching, self.evaluator.types, binder.subtyping):
            binder.imported(merged, outer_import(merged.name, merged.type, merged.location, self.builder))
        order = in_order(len(self.surfaces), needs(self.matching.matches))
        assert order is not None  # match_imports refuses cycles
        for number in order:
            binder.frames[number] = self.evaluator.run(self._frame(number, root))
        export_chosen(self._candidates(), options, self.builder, binder.determined.all)

    def _candidates(self) -> list[Candidate]:
        consumed = {(provision.provider, provision.export) for provision in self.matching.matches.values()}
        libraries = {provider for provider, _ in consumed}
        return [
            Candidate(
                s.input.name,
                name,
                item,
                self.binder.frames[i].locations[name.name],
                consumed=(i, name.name) in consumed,
                library=i in libraries,
            )
            for i, s in enumerate(self.surfaces)
            for name, item in self.binder.frames[i].exports.values()
        ]

    def _frame(self, number: int, root: InstanceId) -> Frame:
        input_ = self.surfaces[number].input
        place = Place(input_.source)
        instance = self.builder.instance(root, input_.name, number, place.at(input_.component.offset))
        imports = count()

        def bind(import_: Import, scope: ComponentScope) -> Item:
            return self.binder.bind(import_, scope, (number, next(imports)))

        return Frame(self.evaluator, ComponentValue(input_.component, None, place), instance, bind)
