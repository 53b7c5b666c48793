"""`meld host jobs`: commands and exports that take long, beside their modules."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Literal, TypeAlias

import click

from meldpy.cli import terminal
from meldpy.cli.asking import asking, given_bytes, is_export, print_json
from meldpy.cli.help import Group
from meldpy.errors import escape

if TYPE_CHECKING:
    from meldpy.host.control.client import Client


@click.group(cls=Group)
def jobs() -> None:
    """Commands and exports that take long, beside their modules."""


@jobs.command("start")
@click.argument("name")
@click.argument("command")
@click.argument("payload", required=False)
@click.option("--wait", "waiting", is_flag=True, help="Show progress, and exit with the job's code.")
@asking
def start_job(client: Client, name: str, command: str, payload: str | None, waiting: bool) -> int:
    """Begin a job, COMMAND [PAYLOAD] or an export in WAVE, 'f(1, "x")'; prints its id."""
    from meldpy.host.control.protocol import Begin, BeginCall

    ask = BeginCall(name, command) if is_export(command, payload) else Begin(name, command, given_bytes(payload))
    id_ = client.ask(ask)
    click.echo(id_)
    return _follow(client, id_) if waiting else 0


def _follow(client: Client, id_: int) -> int:
    """A bar on a terminal, until the job is over."""
    from meldpy.host.control.protocol import Show

    with click.progressbar(length=1000, label=f"job {id_}", file=sys.stderr) as bar:
        while True:
            row = client.ask(Show(id_))
            bar.update(1000 * row["done"] // (row["total"] or 1) - bar.pos)
            if row["exit_code"] is not None or row["status"] == "paused" or not row["runs_now"]:
                break
            time.sleep(0.1)
    if row["exit_code"] is None and row["status"] != "paused":
        why = "its module was unloaded, or the store failed"
        terminal.error(f"job {id_} was left ({why}): it goes on when its module is loaded next")
        return 1
    if row["error"]:
        terminal.error(escape(row["error"]))
    return int(row["exit_code"] or 0)


@jobs.command("list")
@asking
def list_jobs(client: Client) -> None:
    """All there are."""
    from meldpy.host.control.protocol import Jobs

    for row in client.ask(Jobs()):
        words = (str(row["id"]), row["module"], row["command"], row["status"], f"{row['done']}/{row['total'] or '?'}")
        click.echo("  ".join(escape(word) for word in words))


@jobs.command("show")
@click.argument("id_", type=int, metavar="ID")
@asking
def show_job(client: Client, id_: int) -> None:
    """One job with its lines, numbers and result."""
    from meldpy.host.control.protocol import Show

    print_json(client.ask(Show(id_)))


_What: TypeAlias = 'Literal["pause", "resume", "cancel"]'
_ACTS: tuple[_What, ...] = ("pause", "resume", "cancel")


def _act(what: _What) -> None:
    @jobs.command(what, help=f"{what.capitalize()} a job.")
    @click.argument("id_", type=int, metavar="ID")
    @asking
    def act(client: Client, id_: int) -> None:
        from meldpy.host.control.protocol import Act

        client.ask(Act(id_, what))


for _what in _ACTS:
    _act(_what)
