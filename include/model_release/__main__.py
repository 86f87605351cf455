"""The script `model-release`. What a consumer runs at every start of a container starts in a tenth of a second."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the arguments name."""
    if sys.argv[1:2] in (["pull"], ["watch"]):
        from model_release.client.command import main as consume

        consume(sys.argv[1:])
    from model_release.cli import main as others

    others()


if __name__ == "__main__":
    main()
