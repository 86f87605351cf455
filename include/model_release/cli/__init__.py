"""The command line, thin over `release`: `app` is its frame, `pages` how it looks, `output` where it goes.

The commands stand by what they do: `reading` shows, `checkup` looks for damage. Importing a module adds its commands,
in this order.
"""

from model_release.cli import checkup, reading
from model_release.cli.app import app, main

__all__ = ["app", "checkup", "main", "reading"]
