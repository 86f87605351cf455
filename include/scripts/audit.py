"""`make audit`: known vulnerabilities of what the locks bring, by pip-audit. Asks an advisory service on the web.

Apart from `make lint`, since its answer changes without a change of the project. Exceptions stand in `audit.toml`, each
with a reason and the day on which it ends. A package that the service does not know is named: pip-audit itself calls
that "no known vulnerabilities".
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.txt", "requirements-dev.txt")
FOUND, NO_ANSWER = 1, 3
"""The exit statuses, apart from 0."""


class Report(NamedTuple):
    """What is said of one lock: a line for each advisory, and the packages that the service did not know."""

    advisories: list[str]
    unanswered: list[str]
    packages: int


def main() -> None:
    """Ask about each lock, print what is known, and end with the status."""
    excepted = exceptions((ROOT / "audit.toml").read_text(), datetime.now(UTC).date())
    status = 0
    for lock in LOCKS:
        report = read(ask(ROOT / lock), excepted)
        print("\n".join([*report.advisories, in_words(lock, report)]))
        status = max(status, FOUND if report.advisories else NO_ANSWER if report.unanswered else 0)
    sys.exit(status)


def exceptions(text: str, today: date) -> set[str]:
    """Return the ids of the advisories that are passed over today; one without a reason or an end is an error."""
    told = tomllib.loads(text).get("exception", [])
    return {each["id"] for each in told if each["reason"] and today <= each["until"]}


def ask(lock: Path) -> dict[str, Any]:
    """Return pip-audit's report on a lock, or one without an answer if it failed."""
    command = ["-r", str(lock), "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    asked = subprocess.run([sys.executable, "-m", "pip_audit", *command], capture_output=True, text=True, check=False)
    try:
        report: dict[str, Any] = json.loads(asked.stdout)
    except ValueError:
        reason = (asked.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        return {"dependencies": [{"name": f"all of {lock.name}", "skip_reason": reason}]}
    return report


def read(report: dict[str, Any], excepted: set[str]) -> Report:
    """Return a report in lines."""
    advisories, unanswered = [], []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            unanswered.append(package["name"])
        for each in package.get("vulns", ()):
            if not excepted & {each["id"], *each["aliases"]}:
                fixed = ", ".join(each["fix_versions"]) or "no version"
                advisories.append(f"{package['name']} {package['version']}: {each['id']}, fixed in {fixed}")
    return Report(advisories, unanswered, len(report["dependencies"]))


def in_words(lock: str, report: Report) -> str:
    """Return the end of a lock's report: how many packages the service answered about."""
    answered = report.packages - len(report.unanswered)
    line = f"{lock}: {len(report.advisories)} advisories about {answered} packages"
    if not answered:
        return f"{lock}: no advisory service answered here; nothing is known about these packages"
    return f"{line}; no answer about {', '.join(report.unanswered)}" if report.unanswered else line


if __name__ == "__main__":
    main()
