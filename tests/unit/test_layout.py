"""Object keys: where everything lies, and what may never become part of a key."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_release.documents import layout
from model_release.documents.version import Version
from model_release.errors import UnsafeKey

V120 = Version(1, 2, 0)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (layout.version_dir(V120), "v1.2.0"),
        (layout.claim(V120), "v1.2.0/claim.json"),
        (layout.manifest(V120), "v1.2.0/metadata.json"),
        (layout.artifact(V120, "best_model.pkl"), "v1.2.0/best_model.pkl"),
        (layout.artifact(V120, "plots/roc.svg"), "v1.2.0/plots/roc.svg"),
        (layout.latest_copy("best_model.pkl"), "latest/best_model.pkl"),
        (layout.log_entry(12), "log/000000000012.json"),
        (layout.staged("run", "ab"), "staging/run/ab"),
        (layout.decisions_of("ab"), "decisions/ab"),
        (layout.decision("ab", 12, "run"), "decisions/ab/000000000012-run.json"),
        (layout.decision("ab", None, "run"), "decisions/ab/first-run.json"),
        (layout.version_of("ab"), "decisions/ab/version.json"),
    ],
)
def test_where_everything_lies(key: str, expected: str) -> None:
    assert key == expected
    assert layout.check_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        *(
            "",
            "/",
            "/absolute",
            "a/",
            "a//b",
            "//a",
            ".",
            "..",
            "../a",
            "a/..",
            "a/../b",
            "a/./b",
            ".hidden",
            "a/.hidden",
        ),
        *(
            "a\\b",
            "..\\a",
            "C:\\a",
            "a\0",
            "a\0b",
            "a b",
            "a\n",
            "a\tb",
            "a:b",
            "a*b",
            "a?b",
            "a|b",
            "<a>",
            '"a"',
            "~a",
        ),
        *(
            "-rf",
            "a/-rf",
            "a.",
            "a/b.",
            "%2e%2e/a",
            "a#b",
            "a&b",
            "$a",
            "é",
            "a/ｂ",
            "․․/a",
            "a\u200bb",
            "a\u202eb",
        ),
        *("Ａ", "a∕b", "\ud800", "x" * 901),
    ],
)
@pytest.mark.refuses("keys that lead elsewhere")
def test_unsafe_keys(key: str) -> None:
    with pytest.raises(UnsafeKey):
        layout.check_key(key)


@given(st.text() | st.from_regex(r"[a-z./\\\x00-]{0,12}", fullmatch=True))
def test_a_key_never_leaves_its_folder(key: str) -> None:
    try:
        layout.check_key(key)
    except UnsafeKey:
        return
    path = PurePosixPath("root") / key
    assert key.isascii()
    assert key.isprintable()
    assert str(path) == f"root/{key}", "no part is dropped or added"
    assert not {"..", ".", ""} & set(key.split("/"))


@given(st.text(min_size=1, max_size=200))
def test_run_tokens_are_safe_and_apart(run_id: str) -> None:
    token = layout.run_token(run_id)
    assert layout.check_key(token) == token
    assert re.fullmatch(r"[A-Za-z0-9-]{3,71}", token)
    assert layout.run_token(run_id + "+") != token


def test_run_tokens_stay_readable() -> None:
    token = layout.run_token("manual__2026-11-21T02:00:00+00:00")
    assert token.startswith("manual-2026-11-21T02-00-00-00-00-")


@given(st.integers(1, 10**12 - 2))
def test_log_entries_sort_by_epoch(epoch: int) -> None:
    assert layout.log_entry(epoch) < layout.log_entry(epoch + 1)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("file:///srv/store", "file:///srv/store/a/b"),
        ("file:///srv/store/", "file:///srv/store/a/b"),
        ("file:///srv/store?allow_network=true", "file:///srv/store/a/b?allow_network=true"),
    ],
)
def test_join(uri: str, expected: str) -> None:
    assert layout.join(uri, "a", "b") == expected


@pytest.mark.parametrize(
    "key",
    [
        layout.POINTER,
        layout.NEAR_THE_LAST,
        layout.claim(V120),
        layout.artifact(V120, "plots/roc.svg"),
        layout.latest_copy("best_model.pkl"),
        layout.log_entry(12),
        layout.staged("run", "ab"),
        layout.decision("ab", 12, "run"),
        layout.answer("ab", None, "run"),
        layout.version_of("ab"),
        "v1.2.0/",
        "log/",
    ],
)
def test_a_key_that_the_layout_makes_is_not_foreign(key: str) -> None:
    assert not layout.is_foreign(key)


@pytest.mark.parametrize(
    "key",
    [
        "README.md",
        "v1.2.0",
        "log",
        "V1.2.0/metadata.json",
        "v1.2.0.bak/metadata.json",
        "v1.2/metadata.json",
        "Latest/best_model.pkl",
        "log/12.json",
        "log/000000000012.json.bak",
        "log/old/000000000012.json",
        "log/\u0661.json",
        "decisions/ab",
    ],
)
def test_a_key_that_no_object_of_a_model_has_is_foreign(key: str) -> None:
    assert layout.is_foreign(key)
