"""The error tree: its shape, its exit codes, and that an error travels whole."""

from __future__ import annotations

import pickle

import pytest

from model_release import errors
from model_release.errors import DataInvalid, ModelReleaseError

TREE = """
ModelReleaseError 1
  Retry 75
    StoreUnavailable 75
    OutcomeUnknown 75
    Contended 75
  Redo 75
    BaselineMoved 75
  Stop 1
    NotFound 1
      NoModel 1
    UsageError 2
      SpecError 2
      UnsafeKey 2
    Refused 3
    CredentialsRefused 4
    Corrupt 5
      UnknownFormat 5
      DataInvalid 5
"""


def drawn(kind: type[ModelReleaseError], depth: int = 0) -> list[str]:
    own = [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
    return [
        f"{'  ' * depth}{kind.__name__} {kind.exit_code}",
        *(line for each in own for line in drawn(each, depth + 1)),
    ]


def kinds(kind: type[ModelReleaseError] = ModelReleaseError) -> list[type[ModelReleaseError]]:
    return [kind, *(each for below in kind.__subclasses__() for each in kinds(below))]


def test_the_tree() -> None:
    assert drawn(ModelReleaseError) == TREE.strip().splitlines()


def test_the_docstring_draws_the_same_tree() -> None:
    assert errors.__doc__ is not None
    for line in TREE.split("\n"):
        if line:
            name, code = line.split()
            drawn_line = next(each for each in errors.__doc__.splitlines() if f" {name} " in f" {each} ")
            assert f"exit {code}" in drawn_line or code == "75", name


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_error_travels_whole(kind: type[ModelReleaseError]) -> None:
    error = kind("what happened", where="file:///store/key", hint="do this")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(back) is kind
    assert (back.what, back.where, back.hint) == ("what happened", "file:///store/key", "do this")
    assert str(back) == str(error) == "file:///store/key: what happened\n  → do this"
    assert back.exit_code == error.exit_code


def test_a_data_report_travels_too() -> None:
    error = DataInvalid("2 rows break the rules", report=[{"column": "chol", "row": 3}])
    assert pickle.loads(pickle.dumps(error)).report == [{"column": "chol", "row": 3}]  # noqa: S301 - our own bytes
    assert DataInvalid("no report").report == []


def test_without_place_and_hint() -> None:
    assert str(ModelReleaseError("what happened")) == "what happened"
    assert str(ModelReleaseError("what happened", hint="do this")) == "what happened\n  → do this"


def test_the_codes() -> None:
    codes = {name: value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert codes == {
        "EXIT_DONE": 0,
        "EXIT_FAILED": 1,
        "EXIT_USAGE": 2,
        "EXIT_REFUSED": 3,
        "EXIT_CREDENTIALS": 4,
        "EXIT_CORRUPT": 5,
        "EXIT_DOCTOR": 6,
        "EXIT_LAGGING": 7,
        "EXIT_TOO_OLD": 8,
        "EXIT_TRY_AGAIN": 75,
        "EXIT_INTERRUPTED": 130,
    }
