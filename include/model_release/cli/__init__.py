"""The command line, thin over `release`: `commands` is what there is, `pages` how it looks, `output` where it goes."""

from model_release.cli.commands import app, main

__all__ = ["app", "main"]
