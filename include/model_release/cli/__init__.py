"""The command line, thin over `release`: `app` is its frame, `pages` how it looks, `output` where it goes.

The commands stand by what they do: `reading` shows, `publishing` adds releases, `comparing` tells two apart, `acts` are
a person's, `upkeep` keeps order, `checkup` looks for damage, `consuming` is the consumer's, and `serving` answers
requests. `app` says which module has which command, and imports the one that is called.
"""

from model_release.cli.app import app, main

__all__ = ["app", "main"]
