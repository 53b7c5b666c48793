"""`meld completion`: what a shell needs to complete command lines of meld."""

from __future__ import annotations

import click

from meldpy.cli.settings import verbosity

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@verbosity
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes command lines of meld in SHELL.

    \b
    bash:  meld completion bash > ~/.local/share/bash-completion/completions/meld
    zsh:   meld completion zsh > ~/.zfunc/_meld
    fish:  meld completion fish > ~/.config/fish/completions/meld.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, "click knows these shells"
    made = found(ctx.find_root().command, {}, "meld", "_MELD_COMPLETE")
    # `source` would ask the shell on this machine for its version, which may not be the one that reads this.
    click.echo(made.source_template % made.source_vars())
