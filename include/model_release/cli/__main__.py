"""`python -m model_release.cli`, where the script `model-release` is not on the path."""

from model_release.cli import main

main()
