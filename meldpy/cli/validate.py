"""`meld validate`: have the engine check components, as `meld fuse` does with its inputs."""

from __future__ import annotations

import click

from meldpy.cli.io import read_inputs_or_stdin
from meldpy.cli.settings import Settings, verbosity
from meldpy.pipeline import decode
from meldpy.pipeline import validate as validate_component


@click.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@verbosity
@click.pass_obj
def validate(settings: Settings, inputs: tuple[str, ...]) -> None:
    """Check that each INPUT (stdin without one) is a valid component; the first that is not ends with an error."""
    for item in read_inputs_or_stdin(inputs):
        for note in validate_component(item.source, item.data, decode(item)):
            settings.note(note)
        settings.say(f"{item.source}: valid")
