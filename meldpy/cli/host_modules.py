"""`meld host install` and its like: modules on disk, with or without a host that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meldpy.cli.asking import modules_option
from meldpy.cli.settings import verbosity
from meldpy.errors import escape

if TYPE_CHECKING:
    from meldpy.host.registry.installed import Registry


def _registry(modules: str | None) -> Registry:
    from meldpy.host.places import modules_folder
    from meldpy.host.registry.installed import Registry

    return Registry(modules_folder(modules))


@click.command()
@click.argument("source")
@modules_option
@verbosity
def install(source: str, modules: str | None) -> None:
    """Install a folder with a module.toml, or `oci-layout:DIR:TAG`, or `oci://HOST/NAME:TAG`."""
    manifest = _registry(modules).install(source)
    click.echo(f"{manifest.name} {manifest.version}")


@click.command()
@click.argument("name")
@click.argument("version", required=False)
@modules_option
@verbosity
def uninstall(name: str, version: str | None, modules: str | None) -> None:
    """Remove a version, or all; one that another module was resolved to stays."""
    _registry(modules).uninstall(name, version)


@click.command()
@modules_option
@verbosity
def installed(modules: str | None) -> None:
    """What is installed; the active version has a star."""
    for each in _registry(modules).listed():
        click.echo(escape(f"{each.name} {each.version}{' *' if each.active else ''}  {each.description}").rstrip())


@click.command()
@click.argument("name")
@modules_option
@verbosity
def history(name: str, modules: str | None) -> None:
    """The versions of a module that were active, the active one last."""
    for version in _registry(modules).history(name):
        click.echo(version)
