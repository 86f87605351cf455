"""Options that several commands share: declared once, laid out for each command, collected into one value again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from model_release import cli
from model_release.cli.options import App


@dataclass(frozen=True)
class Greeting:
    word: Annotated[str, typer.Argument(help="What to say.")]
    loud: Annotated[bool, typer.Option("--loud", "-l", help="In capitals.")] = False


def test_a_group_is_laid_out_in_its_place_and_handed_over_whole() -> None:
    app, given = App(), list[object]()

    @app.command()
    def greet(*, greeting: Greeting, name: str, times: int = 1) -> None:
        """Greet somebody."""
        given.append((greeting, name, times))

    result = CliRunner().invoke(app, ["hello", "ann", "-l", "--times", "2"])
    assert result.exit_code == 0, result.output
    assert given == [(Greeting("hello", loud=True), "ann", 2)]
    page = CliRunner(env={"COLUMNS": "100"}).invoke(app, ["--help"]).output
    assert "In capitals." in page and "Greet somebody." in page and "greeting" not in page


def test_an_option_means_the_same_in_every_command() -> None:
    top = typer.main.get_command(cli.app)
    assert isinstance(top, TyperGroup)
    context = typer.Context(top)
    helps: dict[str, set[str | None]] = defaultdict(set)
    for name in top.list_commands(context):
        command = top.get_command(context, name)
        assert command is not None
        for each in command.params:
            for option in each.opts:
                if option in ("--json", "--quiet", "--also", "--by", "--epoch", "--operation", "--unopened"):
                    helps[option].add(getattr(each, "help", None))
    assert {option: len(words) for option, words in helps.items()} == dict.fromkeys(helps, 1)
    assert len(helps) == 7
