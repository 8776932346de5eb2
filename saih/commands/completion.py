"""``saih completion``: what a shell needs to complete verbs and options."""

import click
from click.shell_completion import get_completion_class

from saih.commands.talk import give


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    bash: `saih completion bash > ~/.local/share/bash-completion/completions/saih`.
    zsh: into a file _saih on $fpath. fish: into ~/.config/fish/completions/saih.fish.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not known to this version of click.")
    give(kind(ctx.find_root().command, {}, "saih", "_SAIH_COMPLETE").source())
