"""The command line, thin over `release`: `app` is its frame, `pages` how it looks, `output` where it goes.

The commands stand by what they do: `reading` shows, `publishing` adds releases, `comparing` tells two apart, `acts` are
a person's, `upkeep` keeps order, `checkup` looks for damage, `serving` answers requests. Importing a module adds its
commands.
"""

from model_release.cli import acts, checkup, comparing, publishing, reading, serving, upkeep
from model_release.cli.app import app, main

__all__ = ["acts", "app", "checkup", "comparing", "main", "publishing", "reading", "serving", "upkeep"]
