"""`model-release`: the command line, thin over `release`. Each command ends with what its error asks of the caller.

Data goes to stdout and everything else to stderr. The exit status tells what the caller can do about an error:
0 done, 1 failed, 2 usage or a bad spec, 3 refused by a rule, 4 credentials, 5 verification failed,
6 doctor found something, 7 done at home while other destinations lag behind, 75 try again, 130 interrupted.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info, get_group_from_info

from model_release import __version__
from model_release.cli.options import App
from model_release.errors import EXIT_INTERRUPTED, ModelReleaseError, NoModel

_MARKUP: Any = "markdown"
"""It alone joins the lines of a paragraph."""

_LOOKS: Any = {"pretty_exceptions_short": False, "rich_markup_mode": _MARKUP}

_MODULES = {
    "reading": ("status", "show", "list", "history", "consumers", "verify"),
    "consuming": ("pull", "watch"),
    "acts": ("rollback", "promote", "hold", "unhold", "quarantine"),
    "publishing": ("publish", "adopt"),
    "comparing": ("diff", "reproduce"),
    "drafting": ("init",),
    "linting": ("lint",),
    "trying": ("try",),
    "serving": ("serve",),
    "checkup": ("doctor",),
    "upkeep": ("reconcile", "prune", "recover", "rehome"),
    "mlruns": ("mlruns",),
}
"""Which module has which commands: only the one that is called is imported, in a third of the time that all take."""

_MODULE_OF = {command: module for module, commands in _MODULES.items() for command in commands}


class _Commands(TyperGroup):
    """Finds commands in their modules, and ends every one with the exit status of its error."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name every command."""
        return [*_MODULE_OF]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the module of a command; of an unknown one all, so that the nearest can be suggested."""
        if cmd_name not in self.commands:
            for module in [_MODULE_OF[cmd_name]] if cmd_name in _MODULE_OF else _MODULES:
                import_module(f"model_release.cli.{module}")
            made = [
                *(get_command_from_info(each, **_LOOKS) for each in app.registered_commands),
                *(get_group_from_info(each, suggest_commands=True, **_LOOKS) for each in app.registered_groups),
            ]
            for each in made:
                self.commands.setdefault(str(each.name), each)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Exit(EXIT_INTERRUPTED) from error
        except ModelReleaseError as error:
            from model_release.cli import output as out

            if out.debugging():
                raise
            if isinstance(error, NoModel):
                from model_release.cli.neighbours import with_names

                error = with_names(error)
            out.tell_error(error, as_json=as_json)
            raise typer.Exit(error.exit_code) from error


app = App(
    cls=_Commands,
    name="model-release",
    help="Release models so that `latest` can be trusted: see what is live and why, and change it by the rules.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=_MARKUP,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Uri = Annotated[
    str,
    typer.Argument(metavar="URI", help="A model's folder, such as file:///srv/store/heart-disease-models."),
]
Number = Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Such as v1.4.0; else the live one.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"model-release {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Nothing but `--version` stands before the command."""


def main() -> None:
    """The console script."""
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)  # says in thirty lines what our error says in two
    app()
