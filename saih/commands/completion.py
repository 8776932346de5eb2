"""``saih completion``: what a shell needs to complete verbs and options."""

import click
from click.shell_completion import get_completion_class

from saih.commands.choice import JSON
from saih.commands.talk import give, give_json


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@JSON
@click.pass_context
def command(ctx: click.Context, shell: str, *, is_json: bool) -> None:
    """Print the completion script of a shell.

    bash: `saih completion bash > ~/.local/share/bash-completion/completions/saih`.
    zsh: into a file _saih on $fpath. fish: into ~/.config/fish/completions/saih.fish.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not known to this version of click.")
    script = kind(ctx.find_root().command, {}, "saih", "_SAIH_COMPLETE").source()
    if is_json:
        give_json("completion", {"shell": shell, "script": script})
    else:
        give(script)
