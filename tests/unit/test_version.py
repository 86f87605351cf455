"""Versions: one spelling, the order of numbers, what comes next."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_release.documents.version import FIRST, Bump, Version
from model_release.errors import UsageError

numbers = st.integers(0, 999_999_999)
versions = st.builds(Version, numbers, numbers, numbers)


@given(versions)
def test_one_spelling(version: Version) -> None:
    assert Version.parse(str(version)) == version
    assert Version.is_version(str(version))
    assert pickle.loads(pickle.dumps(version)) == version  # noqa: S301 - our own bytes


@given(st.text())
def test_only_what_is_spelt_so_is_a_version(text: str) -> None:
    if Version.is_version(text):
        assert str(Version.parse(text)) == text
    else:
        with pytest.raises(UsageError):
            Version.parse(text)


@given(versions, versions)
def test_order_is_that_of_numbers(one: Version, two: Version) -> None:
    as_numbers = [(each.major, each.minor, each.patch) for each in (one, two)]
    assert (one < two) == (as_numbers[0] < as_numbers[1])
    assert (one == two) == (hash(one) == hash(two)) or one != two


@given(versions, st.sampled_from(Bump))
def test_next_is_after_and_nothing_of_its_kind_between(version: Version, bump: Bump) -> None:
    after = version.next(bump)
    assert after > version
    index = list(Bump).index(bump)
    before, now = ((each.major, each.minor, each.patch) for each in (version, after))
    assert now[index] == before[index] + 1
    assert now[:index] == before[:index]
    assert not any(now[index + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "v",
            "1.0.0",
            "V1.0.0",
            "v1",
            "v1.0",
            "v1.0.0.0",
            "v01.0.0",
            "v1.00.0",
            "v1.0.-1",
            "v1.0.0 ",
            " v1.0.0",
        ),
        *(
            "v1.0.0\n",
            "v1.0.0-rc1",
            "v1.0.0+x",
            "v1,0,0",
            "v1.0.x",
            "v1234567890.0.0",
            "v١.0.0",
            "v1.0.²",
            "v1.0.0/",
        ),
    ],
)
def test_other_spellings(text: str) -> None:
    assert not Version.is_version(text)
    with pytest.raises(UsageError, match="versions look like"):
        Version.parse(text)


def test_known_order() -> None:
    names = ["v0.0.1", "v1.0.0", "v1.0.1", "v1.2.0", "v1.9.0", "v1.10.0", "v2.0.0", "v10.0.0"]
    assert sorted(names[::-1], key=Version.parse) == names
    assert str(FIRST) == "v1.0.0"
