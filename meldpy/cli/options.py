"""The options of a fuse, for every command that fuses: what the command line says becomes one FuseOptions.

What an option means is said where `FuseOptions` is; what belongs to one command (an output, a check) is that command's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click

from meldpy.options import FuseOptions

_CAP = click.IntRange(min=1)
_OPTIONS = (
    click.option("--validate/--no-validate", default=True, show_default=True, help="Check inputs and output."),
    click.option("--strict", is_flag=True, help="Refuse imports left open, except wasi:*, --allow-import and --open."),
    click.option("--allow-import", multiple=True, metavar="PATTERN", help="With --strict: imports that may stay open."),
    click.option(
        "--link",
        "links",
        multiple=True,
        metavar="IMPORTER:IMPORT=PROVIDER:EXPORT",
        help="Decide by hand which export satisfies an import.",
    ),
    click.option("--open", "opens", multiple=True, metavar="INPUT:IMPORT", help="Leave this import to the host."),
    click.option(
        "--chain",
        is_flag=True,
        help="Satisfy each import by the next INPUT to the right that exports it, as middleware is put in front of an"
        " application; what the last one imports stays open.",
    ),
    click.option(
        "--root",
        "roots",
        multiple=True,
        metavar="INPUT",
        help="Export what these inputs export (`all`: every input), and what their types need, in place of the inputs"
        " that satisfy no import of another.",
    ),
    click.option("--export", "exports", multiple=True, metavar="NAME", help="Export this too; NAME or INPUT:NAME."),
    click.option("--hide", "hides", multiple=True, metavar="NAME", help="Do not export this; NAME or INPUT:NAME."),
    click.option("--rename", "renames", multiple=True, metavar="NAME=NEW", help="Export this under another name."),
    click.option(
        "--names",
        type=click.Choice(["full", "short", "none"]),
        default="full",
        show_default=True,
        help="Names of functions and the like: with the component they come from, without it, or not at all.",
    ),
    click.option("--no-names", is_flag=True, help="The same as --names none."),
    click.option(
        "--dwarf",
        type=click.Choice(["keep", "drop", "split"]),
        default="keep",
        show_default=True,
        help="What becomes of debugging information; split: it goes to FILE.debug.wasm.",
    ),
    click.option(
        "--source-map",
        type=click.Choice(["inline", "file", "drop"]),
        default="inline",
        show_default=True,
        help="What becomes of source maps; file: they go to FILE.map.",
    ),
    click.option(
        "--origins", is_flag=True, help="Say in the output where its code came from (meld symbolize --original)."
    ),
    click.option(
        "--trap-values",
        is_flag=True,
        help="Have traps of adapters tell the values that broke their rule (meld run, meld symbolize).",
    ),
    click.option(
        "--provenance/--no-provenance",
        default=False,
        show_default=True,
        help="Say in the output what it was made of (meld provenance).",
    ),
    click.option(
        "-O",
        "--optimize",
        "optimise",
        is_flag=True,
        help="Optimise the fused module with binaryen's wasm-opt, which must be installed; debugging information goes.",
    ),
    click.option(
        "--opaque-rep",
        "opaque_reps",
        multiple=True,
        metavar="INTERFACE.RESOURCE",
        help="Pass this resource's reps as they are, without handle tables.",
    ),
    click.option("--core", is_flag=True, help="Write a core module, for engines that know no components."),
    click.option("--features", default="", metavar="TARGET", help="With --core: refuse what this engine lacks."),
    click.option(
        "--memory",
        type=click.Choice(["separate", "single"]),
        default="separate",
        show_default=True,
        help="With --core: one memory for all, for engines that know no more.",
    ),
    click.option(
        "--memory-max",
        multiple=True,
        metavar="NAME=PAGES",
        help="With --memory single: the most pages of a component's memory, which is faster if it never has to move.",
    ),
    click.option("--flat", is_flag=True, help="Refuse what cannot be fused, instead of keeping it nested."),
    click.option(
        "--keep",
        "keeps",
        multiple=True,
        metavar="INPUT",
        help="Keep this input apart, with the engine's own adapters around it.",
    ),
    click.option("--max-instances", default=10_000, type=_CAP, show_default=True, help="Cap on component instances."),
    click.option("--max-core-instances", default=10_000, type=_CAP, show_default=True, help="Cap on core instances."),
    click.option(
        "--max-definitions", default=200_000, type=_CAP, show_default=True, help="Cap on evaluated definitions."
    ),
)
_FIELDS = {
    "validate": "validate",
    "strict": "strict",
    "allow_import": "allow_imports",
    "links": "links",
    "opens": "opens",
    "chain": "chain",
    "roots": "roots",
    "exports": "exports",
    "hides": "hides",
    "renames": "renames",
    "names": "names",
    "dwarf": "dwarf",
    "source_map": "source_map",
    "origins": "origins",
    "trap_values": "trap_values",
    "provenance": "provenance",
    "optimise": "optimise",
    "opaque_reps": "opaque_reps",
    "core": "core",
    "memory": "memory",
    "memory_max": "memory_max",
    "features": "features",
    "flat": "flat",
    "keeps": "keeps",
    "max_instances": "max_instances",
    "max_core_instances": "max_core_instances",
    "max_definitions": "max_definitions",
}
"""What click calls each option, and the field that it becomes."""


SECTIONS: Final = {
    **dict.fromkeys(
        ("strict", "allow_import", "links", "opens", "chain", "roots", "exports", "hides", "renames", "deps"),
        "What is linked and exported",
    ),
    **dict.fromkeys(("flat", "keeps", "opaque_reps", "optimise"), "What is fused"),
    **dict.fromkeys(
        ("names", "no_names", "dwarf", "source_map", "origins", "trap_values", "provenance"),
        "What the output tells of itself",
    ),
    **dict.fromkeys(("core", "features", "memory", "memory_max", "core_manifest"), "A core module, not a component"),
    **dict.fromkeys(
        ("validate", "max_instances", "max_core_instances", "max_definitions"), "Validation and caps on expansion"
    ),
    **dict.fromkeys(("verbose", "quiet", "error_format", "sarif"), "Messages"),
}
"""Under which heading of the help an option stands."""


deps_option = click.option(
    "--dep", "deps", multiple=True, metavar="PACKAGE=FILE", help="Where a package of a .wac file is."
)
"""For commands that take a .wac file in place of inputs."""


def fuse_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a fuse; it gets them as `options`."""

    @wraps(command)
    def with_options(*args: Any, no_names: bool, **given: Any) -> Any:
        wanted = {field: given.pop(name) for name, field in _FIELDS.items()}
        if no_names:
            wanted["names"] = "none"
        return command(*args, options=FuseOptions(**wanted), **given)

    decorated: Callable[..., Any] = with_options
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
