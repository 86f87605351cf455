"""`make docs`: README and docs as a site in build/site, checked link by link; a warning ends it.

The pages keep their places, so that they read alike in the repository and on the site. What they link to beside pages,
such as a spec or a schema, is copied with them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
SETTINGS = ROOT / "docs/site.toml"
HOME = "README.md"

_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")


def main() -> None:
    """Build the site, and say where it lies."""
    faults = build(BUILD)
    if faults is not None:
        sys.exit(f"{faults}\nthe site has warnings: mend the pages above")
    sys.stdout.write(f"{len([*pages()])} pages: {BUILD / 'site' / 'index.html'}\n")


def build(folder: Path) -> str | None:
    """Build the site in `site/` of a folder; return what is wrong with the pages, in words, or None."""
    staged = folder / "pages"
    shutil.rmtree(staged, ignore_errors=True)
    for page, text in pages():
        target = staged / ("index.md" if page == ROOT / HOME else page.relative_to(ROOT))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for file in linked():
        target = staged / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    shutil.copyfile(SETTINGS, folder / "zensical.toml")
    return rebuild(folder)


def rebuild(folder: Path) -> str | None:
    """Build the site again from the pages that are staged in a folder; return what is wrong with them, or None."""
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--strict", "--clean"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    return f"{done.stdout}{done.stderr.partition('Traceback')[0]}" if done.returncode else None


def pages() -> Iterator[tuple[Path, str]]:
    """Yield each page with its text as the site has it: links to folders and to the first page lead to pages."""
    seen: set[Path] = set()
    agenda = [ROOT / HOME, *sorted((ROOT / "docs").rglob("*.md"))]
    while agenda:
        page = agenda.pop(0)
        if page in seen:
            continue
        seen.add(page)
        text = page.read_text(encoding="utf-8")
        targets = [there for there in _targets(page, text) if there.suffix == ".md"]
        agenda += [there for there in targets if there not in seen]
        yield page, _LINK.sub(partial(_as_page, page), text)


def linked() -> Iterator[Path]:
    """Yield the files that pages link to or show and that are no pages."""
    files = {there for page, text in pages() for there in _targets(page, text) if there.suffix != ".md"}
    yield from sorted(each for each in files if each.is_file())


def _targets(page: Path, text: str) -> Iterator[Path]:
    for found in _LINK.finditer(text):
        if "://" not in found[2]:
            there = (page.parent / found[2]).resolve()
            if there.is_dir():
                there /= "README.md"
            if there.is_relative_to(ROOT) and there.is_file():
                yield there


def _as_page(page: Path, found: re.Match[str]) -> str:
    before, path, anchor, after = found[1], found[2], found[3] or "", found[4]
    if "://" in path:
        return found[0]
    there = (page.parent / path).resolve()
    if there.is_dir() and (there / "README.md").is_file():
        path = f"{path.rstrip('/')}/README.md"
    elif there == ROOT / HOME:
        path = f"{path.removesuffix(HOME)}index.md"
    return f"{before}{path}{anchor}{after}"


if __name__ == "__main__":
    main()
