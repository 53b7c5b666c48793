"""`meld fixture`: folders of components that show what works; list, check, rebuild, run and promote them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from meldpy.cli.help import Group
from meldpy.cli.settings import Settings, verbosity
from meldpy.errors import MeldError, UsageError
from meldpy.fixture import Fixture, Form, Stage, load, load_all

_F = TypeVar("_F", bound=Callable[..., object])

_STAGES = click.Choice([stage.value for stage in Stage])
_FORMS = click.Choice([form.value for form in Form])


def _options(command: _F) -> _F:
    """What every subcommand takes."""
    directory = click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path),
        default=Path("fixtures"),
        show_default=True,
        help="The folder with one folder per fixture.",
    )
    return directory(verbosity(command))


@click.group(cls=Group)
def fixture() -> None:
    """Fixtures: folders with components and a fixture.toml that says what they do, fused and composed."""


@fixture.command("list")
@click.option("--markdown", is_flag=True, help="As a Markdown table.")
@click.option("--update", metavar="FILE", type=click.Path(path_type=Path), help="Put the Markdown table into FILE.")
@_options
def list_(directory: Path, markdown: bool, update: Path | None) -> None:
    """List the fixtures: name, stage, theme, languages, title."""
    from meldpy.fixture import table

    fixtures = load_all(directory)
    if update is not None:
        update.write_text(table.with_table(update.read_text(), table.markdown(fixtures), str(update)))
    elif markdown:
        click.echo(table.markdown(fixtures), nl=False)
    else:
        click.echo("\n".join(table.lines(fixtures)))


@fixture.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@_options
@click.pass_obj
def check(settings: Settings, names: tuple[str, ...], directory: Path) -> int:
    """Check descriptions and sums of the named fixtures (without names: all); nothing is run."""
    from meldpy.fixture.files import check_files

    def one(fixture: Fixture) -> None:
        check_files(fixture)
        settings.note(f"{fixture.name}: as described")

    return _each(settings, directory, names, one)


@fixture.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--bless", is_flag=True, help="Keep what was built and record its sums.")
@_options
@click.pass_obj
def build(settings: Settings, names: tuple[str, ...], directory: Path, bless: bool) -> int:
    """Rebuild the components of the named fixtures (without names: all) and compare their sums."""
    from meldpy.fixture.build import build as rebuild

    def one(fixture: Fixture) -> None:
        for built in rebuild(fixture, bless=bless):
            state = "recorded anew" if built.changed else "as recorded"
            click.echo(f"{fixture.name}/{built.name}: {built.size:,} bytes, {state}")

    return _each(settings, directory, names, one)


@fixture.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--stage", type=_STAGES, help="Show this stage, whatever the fixture claims.")
@click.option("--form", "forms", type=_FORMS, multiple=True, help="Only this input form.")
@_options
@click.pass_obj
def run(settings: Settings, names: tuple[str, ...], directory: Path, stage: str | None, forms: tuple[str, ...]) -> int:
    """Show that the named fixtures (without names: all) have their stage, and no better one."""
    from meldpy.fixture.prove import show_stage

    wanted = None if stage is None else Stage(stage)

    def one(fixture: Fixture) -> None:
        for form in fixture.forms:
            if not forms or form.value in forms:
                shown = show_stage(fixture, form, wanted)
                click.echo(f"{fixture.name}, {form.value}, {(wanted or fixture.stage).value}: {shown}")

    return _each(settings, directory, names, one)


@fixture.command()
@click.argument("name")
@_options
def promote(name: str, directory: Path) -> None:
    """Promote a fixture to runtime, after three runs of its scenario in each input form, in fresh processes."""
    from meldpy.fixture import promote

    promote.promote(_find(directory, name), click.echo)


@fixture.command()
@click.argument("name")
@click.option("--reason", help="Why it is fuse-only; what went wrong without it.")
@_options
def demote(name: str, directory: Path, reason: str | None) -> None:
    """Give a fixture that lost its stage the one that it still has."""
    from meldpy.fixture import promote

    promote.demote(_find(directory, name), reason, click.echo)


def _find(directory: Path, name: str) -> Fixture:
    if not (directory / name / "fixture.toml").exists():
        known = ", ".join(sorted(file.parent.name for file in directory.glob("*/fixture.toml"))) or "none"
        raise UsageError(f"there is no fixture {name!r} in {directory}", remedy=f"there are {known}")
    return load(directory / name)


def _each(settings: Settings, directory: Path, names: Sequence[str], action: Callable[[Fixture], None]) -> int:
    """Do it for every fixture, report every failure; the exit code."""
    fixtures = [_find(directory, name) for name in names] if names else load_all(directory)
    failed = 0
    for fixture in fixtures:
        try:
            action(fixture)
        except MeldError as error:
            failed += 1
            settings.fail(error, whose=f"{fixture.name}: ")
    plural = "s" * (len(fixtures) != 1)
    settings.say(
        f"{len(fixtures)} fixture{plural}, {failed} failed" if failed else f"{len(fixtures)} fixture{plural}: ok"
    )
    return 1 if failed else 0
