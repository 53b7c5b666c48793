"""The driver of `resolve`: from decoded inputs to one LinkedGraph.

One input is evaluated as the root itself. Several are first linked (`link`): a root without code instantiates each of
them, as a composing tool would have it. What happens inside a component is `evaluate`'s business in both cases.
"""

from __future__ import annotations

from collections.abc import Sequence

from meldpy.errors import LinkError, UsageError
from meldpy.model.bindings import OpenImport
from meldpy.model.linked import Input, LinkedGraph
from meldpy.resolver.arguments import ArgumentCheck
from meldpy.resolver.builder import Builder
from meldpy.resolver.byhand import only_importer
from meldpy.resolver.componenttypes import subtyping
from meldpy.resolver.evaluate import Evaluator
from meldpy.resolver.inputs import ResolveOptions, ResolverInput
from meldpy.resolver.link import export_chosen, link_inputs, refuse_open
from meldpy.resolver.nodes import Nodes
from meldpy.resolver.outer import OuterExports
from meldpy.resolver.surface import is_demand, root_frame
from meldpy.resolver.typeowners import Candidate


def resolve(inputs: Sequence[ResolverInput], options: ResolveOptions) -> LinkedGraph:
    """Evaluates one composition, or links and evaluates several inputs.

    Errors: UnsupportedError (the closed list), LinkError (what does not fit together), LimitError (a cap), DecodeError
    (an index or a name that means nothing).
    """
    if not inputs:
        raise UsageError("no input is given", remedy="give at least one component")
    builder = Builder(tuple(Input(i.name, i.source, i.size, i.given, i.sha256) for i in inputs), options.caps)
    evaluator = Evaluator(builder, Nodes())
    if options.check_arguments:
        evaluator.check = ArgumentCheck(subtyping(evaluator))
    if len(inputs) == 1:
        _evaluate_one(inputs[0], options, evaluator)
    else:
        link_inputs(inputs, options, evaluator)
    return builder.graph()


def _evaluate_one(input_: ResolverInput, options: ResolveOptions, evaluator: Evaluator) -> None:
    """A single input is the root itself; only what the options leave out of its exports changes its world."""
    if options.links:
        raise LinkError(
            f"there is nothing to link with: `{input_.name}` is the only input",
            remedy="leave out --link, or give the input that exports it too",
        )
    builder = evaluator.builder
    frame = evaluator.run(root_frame(input_, evaluator))
    opened = {only_importer(input_.name, [i.name.name for i in builder.imports], text) for text in options.opens}
    if options.strict:
        open_ = (i for i in builder.imports if is_demand(i.type) and i.name.name not in opened)
        refuse_open((OpenImport(input_.name, import_.name, import_.location) for import_ in open_), options)
    candidates = [
        Candidate(input_.name, name, item, frame.locations[name.name]) for name, item in frame.exports.values()
    ]
    if options.roots or options.exports or options.hides or options.renames:
        export_chosen(candidates, options, builder)
    else:
        exports = OuterExports(builder)
        builder.exports += [exports.export(c.name, c.item, c.location) for c in candidates]
