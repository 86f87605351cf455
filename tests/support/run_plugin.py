"""The plugin of pytest that begins and ends a run of tests: see `support.run_guard` and `support.programs`."""

from __future__ import annotations

import signal

import pytest

from support import programs, run_guard

RUN = run_guard.begun()  # at import, before a conftest makes a folder; None in xdist's workers
LEFT = pytest.StashKey[list[str]]()

programs.refuse_others()


def pytest_configure() -> None:
    """End like Ctrl-C when told to by SIGTERM, so that context managers are left."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what the run has left; a run that left a process has failed."""
    if RUN is not None:
        session.config.stash[LEFT] = RUN.end()
        if session.config.stash[LEFT] and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the processes that were left."""
    left = terminalreporter.config.stash.get(LEFT, [])
    if left:
        terminalreporter.section("processes that tests left behind, and that were killed")
        terminalreporter.write_line("\n".join(left))
