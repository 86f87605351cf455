"""`docs/licences.md`: the licences of the distributions in requirements.txt, by what their own metadata says.

`make lock` writes it; a test holds that each distribution of the lock is in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/licences.md"

_CLASSIFIER = "License :: "
_HEAD = """# Licences of what is installed

The distributions of `requirements.txt` by the licence that their own metadata names, as written there. `make lock`
makes this page. The last line has those that name none, and those that the lock has for other systems alone.

"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(locked((ROOT / "requirements.txt").read_text())), encoding="utf-8")


def locked(text: str) -> list[str]:
    """Return the names in a lock."""
    return sorted({*re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==", text, re.MULTILINE)})


def page(names: list[str]) -> str:
    """Return the page for these distributions."""
    found = defaultdict(list)
    for name in names:
        found[licence(name)].append(name)
    lines = [f"- **{words}**: {', '.join(sorted(found[words]))}" for words in sorted(found, key=str.lower) if words]
    if found[""]:
        lines.append(f"- **not said, or not installed here**: {', '.join(sorted(found['']))}")
    return _HEAD + "\n".join(lines) + "\n"


def licence(name: str) -> str:
    """Return the licence of an installed distribution in one line; empty if it names none, or is not installed."""
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    if "License-Expression" in told:
        return str(told["License-Expression"])
    classified = [each.rpartition(" :: ")[2] for each in told.get_all("Classifier", []) if each.startswith(_CLASSIFIER)]
    text = str(told["License"] or "").strip()
    return ", ".join(sorted({*classified} - {"OSI Approved"})) or (text if "\n" not in text and len(text) < 60 else "")


if __name__ == "__main__":
    main()
