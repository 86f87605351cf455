"""The command line, thin over `release`: `app` is its frame, `pages` how it looks, `output` where it goes.

The commands stand by what they do: `reading` shows, `publishing` adds releases, `comparing` tells two apart.
Importing a module adds its commands.
"""

from model_release.cli import comparing, publishing, reading
from model_release.cli.app import app, main

__all__ = ["app", "comparing", "main", "publishing", "reading"]
