"""`meld docs`: the documentation that is installed with meld, to read and to search without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

import meldpy
from meldpy.cli.settings import verbosity
from meldpy.errors import InternalError, UsageError


@click.command()
@click.argument("topic", required=False)
@click.option("--search", "word", metavar="TEXT", help="Show the lines that have TEXT, with topic and line.")
@verbosity
def docs(topic: str | None, word: str | None) -> int:
    """Show the topic, or without one list what there is; with --search, where something is said."""
    pages = _pages()
    if word is not None:
        found = list(_found(pages, topic, word.casefold()))
        if not found:
            raise UsageError(f"no topic says {word!r}", remedy="try another word; `meld docs` lists the topics")
        click.echo("\n".join(found))
        return 0
    if topic is None:
        width = max(map(len, pages))
        click.echo("\n".join(f"{name:{width}}  {_title(text)}" for name, text in pages.items()))
        return 0
    if topic not in pages:
        raise UsageError(f"there is no topic {topic!r}", remedy=f"there are {', '.join(pages)}")
    click.echo_via_pager(pages[topic])
    return 0


def _pages() -> dict[str, str]:
    """The text of every topic, by name."""
    for folder in (Path(meldpy.__file__).parent / "docs", Path(meldpy.__file__).parent.parent / "docs"):
        files = sorted(folder.rglob("*.md")) if folder.is_dir() else []
        if files:
            return {_name(file, folder): file.read_text(encoding="utf-8") for file in files}
    raise InternalError("the documentation is not installed")


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def _title(text: str) -> str:
    return next((line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")), "")


def _found(pages: dict[str, str], topic: str | None, word: str) -> Iterator[str]:
    for name, text in pages.items():
        if topic in (None, name):
            for number, line in enumerate(text.splitlines(), 1):
                if word in line.casefold():
                    yield f"{name}:{number}: {line.strip()}"
