"""A run of tests starts the programs of `tests/programs.txt` and no other, and `make` installs those."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.programs import CHECKOUT, listed
from support.run_guard import VARIABLE


def test_nothing_is_on_the_path_but_what_is_listed() -> None:
    assert os.environ["PATH"] == str(Path(os.environ[VARIABLE]) / "bin")
    assert {each.name for each in Path(os.environ["PATH"]).iterdir()} <= listed().keys()


@pytest.mark.parametrize("program", listed())
def test_each_listed_program_is_installed(program: str) -> None:
    if "/" in program:
        assert [*Path("/").glob(program.removeprefix("/"))], f"{program} is missing: make debian"
    else:
        assert shutil.which(program), f"{program} is missing: make debian"


def test_make_installs_the_packages_of_the_programs_that_are_missing(tmp_path: Path) -> None:
    """With a PATH that lacks two programs and an apt-get that writes down what it is asked."""
    for each in Path(os.environ["PATH"]).iterdir():
        if each.name not in ("wrk", "redis-cli"):
            (tmp_path / each.name).symlink_to(each.resolve())
    asked = tmp_path / "asked"
    (tmp_path / "apt-get").write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    (tmp_path / "apt-get").chmod(0o755)
    env = {"PATH": str(tmp_path)}
    done = subprocess.run(
        [shutil.which("make") or "", "debian"], cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert asked.read_text().splitlines()[-1].split()[-2:] == ["redis-tools", "wrk"]


@pytest.mark.parametrize("program", ["rsync", "/usr/bin/perl", "/usr/sbin/useradd"])
def test_a_program_that_is_not_listed_is_not_started(program: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"not listed in tests/programs.txt: '{program}'$"):
        subprocess.run([program], check=False)


@pytest.mark.parametrize("program", [sys.executable, "/bin/sh", "sh"])
def test_a_listed_one_and_those_of_python_are(program: str) -> None:
    done = subprocess.run([program, "-c", "exit(0)" if program == sys.executable else "exit 0"], check=False)
    assert done.returncode == 0
