"""`meld host`: run modules, and speak with a host that runs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meldpy.cli.asking import asking, folder_option, given_bytes, is_export, modules_option, print_bytes, print_json
from meldpy.cli.help import Group
from meldpy.cli.host_jobs import jobs
from meldpy.cli.host_modules import history, install, installed, uninstall
from meldpy.cli.settings import Settings, verbosity
from meldpy.errors import FileError, Location, UsageError, escape

if TYPE_CHECKING:
    from meldpy.host.control.client import Client


@click.group(cls=Group)
@verbosity
def host() -> None:
    """Run modules: load, swap and call them while the host runs. Needs the extra `meldpy[host]`."""
    from meldpy.host.extra import need

    need("msgspec")


@host.command()
@folder_option
@modules_option
@click.option("--allow", metavar="FILE", help="TOML: what each module may be granted of what it asks for.")
@click.option("--load", "loads", multiple=True, metavar="SOURCE", help="Load this module first.")
@click.option("--watch", "watching", is_flag=True, help="Reload modules when their files change.")
@click.option(
    "--durability",
    type=click.Choice(["normal", "full"]),
    default="normal",
    show_default=True,
    help="full: what is stored survives a loss of power, too.",
)
@verbosity
@click.pass_obj
def run(
    settings: Settings,
    folder: str | None,
    modules: str | None,
    allow: str | None,
    loads: tuple[str, ...],
    watching: bool,
    durability: str,
) -> None:
    """Run a host until it is told to end, by `meld host end` or SIGINT. What happens is logged on stderr, as JSON."""
    import logging
    import signal

    from meldpy.host.control.server import ControlServer
    from meldpy.host.host import Host
    from meldpy.host.logs import JsonLines
    from meldpy.host.places import host_folder, modules_folder
    from meldpy.host.watch import Watcher

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.getLogger("meldpy.host").addHandler(handler)
    logging.getLogger("meldpy.host").setLevel(logging.INFO)
    place = host_folder(folder)
    allowed = {} if allow is None else _allowed(allow)
    with Host(place, modules=modules_folder(modules), allow=allowed, durability=durability) as running:
        server = ControlServer(running, place)
        signal.signal(signal.SIGTERM, lambda _signal, _frame: server.ended.set())
        watcher = Watcher(running) if watching else None
        try:
            for source in loads:
                settings.say(f"loaded {running.load(source).name}")
            settings.say(f"host runs in {place}")
            server.ended.wait()
        except KeyboardInterrupt:
            settings.say("host ends")
        finally:
            if watcher is not None:
                watcher.close()
            server.close()


def _allowed(path: str) -> dict[str, Any]:
    from meldpy.host.registry.manifest import allowed_from

    try:
        return allowed_from(tomllib.loads(Path(path).read_text()), path)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(str(error), Location(path)) from None


# --- a host that runs ------------------------------------------------------------------------------------------------
@host.command()
@click.argument("source")
@click.argument("version", required=False)
@asking
def load(client: Client, source: str, version: str | None) -> None:
    """Load a module: its name among the installed ones, a folder with a module.toml, or a component."""
    from meldpy.host.control.protocol import Load

    path = Path(source)
    click.echo(client.ask(Load(str(path.resolve()) if path.exists() else source, version)))


@host.command()
@click.argument("name")
@click.argument("version", required=False)
@click.option("--upgrade", is_flag=True, help="Take the highest versions of its dependencies, not the locked ones.")
@asking
def reload(client: Client, name: str, version: str | None, upgrade: bool) -> None:
    """Swap a module, with its state; if that fails the old version goes on."""
    from meldpy.host.control.protocol import Reload

    click.echo(f"{name} was away for {client.ask(Reload(name, version, upgrade)) * 1000:.1f} ms")


@host.command()
@click.argument("name")
@asking
def unload(client: Client, name: str) -> None:
    """Stop a module and free everything of it."""
    from meldpy.host.control.protocol import Unload

    client.ask(Unload(name))


@host.command()
@click.argument("name")
@asking
def rollback(client: Client, name: str) -> None:
    """Swap to the version that was active before."""
    from meldpy.host.control.protocol import Rollback

    click.echo(client.ask(Rollback(name)))


@host.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@asking
def list_(client: Client, as_json: bool) -> None:
    """The modules that are loaded."""
    from meldpy.host.control.protocol import Modules

    found = client.ask(Modules())
    if as_json:
        return print_json(found)
    for each in found:
        words = (
            each["name"],
            each["version"],
            each["status"],
            f"{each['handled']} handled",
            f"{each['deaths']} deaths",
        )
        click.echo("  ".join(escape(word) for word in words))
    return None


@host.command()
@click.argument("name")
@asking
def inspect(client: Client, name: str) -> None:
    """Everything about one module: what it can do, what it was fused from, its dead letters."""
    from meldpy.host.control.protocol import Inspect, Letters

    print_json(client.ask(Inspect(name)) | {"dead-letters": client.ask(Letters(name))})


@host.command()
@click.argument("name")
@click.argument("call")
@click.argument("payload", required=False)
@asking
def call(client: Client, name: str, call: str, payload: str | None) -> None:
    """Call a module: COMMAND [PAYLOAD], or an export in WAVE, 'f(1, "x")'. PAYLOAD is text, @FILE, or - for stdin."""
    from meldpy.host.control.protocol import Call, Execute

    if is_export(call, payload):
        result = client.ask(Call(name, call))
        if result is not None:
            click.echo(result)
    else:
        print_bytes(client.ask(Execute(name, call, given_bytes(payload))))


@host.command()
@click.argument("topic")
@click.argument("payload", required=False)
@click.option("--to", metavar="MODULE", help="To this module alone; else to all that subscribed.")
@click.option("--reply", type=float, metavar="SECONDS", help="Wait for a reply and print it; with --to.")
@asking
def send(client: Client, topic: str, payload: str | None, to: str | None, reply: float | None) -> None:
    """Send a message."""
    from meldpy.host.control.protocol import Send

    if reply is not None and to is None:
        raise UsageError("a reply comes from one module", remedy="name it with --to")
    print_bytes(client.ask(Send(to, topic, given_bytes(payload), reply)))


@host.command()
@asking
def end(client: Client) -> None:
    """Have the host end; jobs go on when it is run again."""
    from meldpy.host.control.protocol import End

    client.ask(End())


for _command in (jobs, install, uninstall, installed, history):
    host.add_command(_command)
