#!/usr/bin/env bash
# typer 0.29.2 beside click, from which its commands came.
# Expected: `typer.main.get_command(app)` is a `click.Group`, as click's extensions and documentation tools ask.
# Seen: it is a group of typer's own copy of click.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check typer==0.29.2 click==8.5.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import click
import typer

app = typer.Typer()
app.callback()(lambda: None)
app.command("one")(lambda: None)
group = typer.main.get_command(app)
seen = (isinstance(group, click.Group), type(group).__mro__[1].__module__)
print(f"typer {typer.__version__}, click installed beside it: a click.Group: {seen[0]}; its classes are of {seen[1]}")
assert seen == (False, "typer._click.core"), "this has changed"
PYTHON
