"""The consumer's commands among the others. They parse their arguments themselves: see `client.command`."""

from __future__ import annotations

import typer

from model_release.cli.app import app
from model_release.client import command

_AS_THEY_ARE = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@app.command(context_settings=_AS_THEY_ARE)
def pull(ctx: typer.Context) -> None:
    """Bring a release here: exactly the files of its manifest, each verified, swapped in as one."""
    command.main(["pull", *ctx.args])


@app.command(context_settings=_AS_THEY_ARE)
def watch(ctx: typer.Context) -> None:
    """Pull, and again whenever `latest` changes, until it is told to end."""
    command.main(["watch", *ctx.args])
