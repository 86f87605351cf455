"""Doctor finds each kind of damage and nothing else, mends what has one right answer, and leaves the rest alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from model_release.releases.doctor.examine import examine
from model_release.releases.doctor.findings import Damage
from model_release.releases.store import Follower, ReleaseStore
from model_release.workflows.checkup import Checkup, checkup
from support.damaged_stores import CASES, LIVE, Case, Scene
from support.proof_tally import Record, proof

pytestmark = pytest.mark.usefixtures("at_once")

DAMAGED = "two stores, in memory"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A healthy scene, made once."""
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep temporary files off the disk, where a folder takes milliseconds to make and to remove."""
    if Path("/dev/shm").is_dir():  # noqa: S108 - if it is not there, the tests are merely slower
        monkeypatch.setattr(tempfile, "tempdir", "/dev/shm")  # noqa: S108


@pytest.fixture
def scene(built: Scene) -> Scene:
    """A healthy scene."""
    built.reset()
    return built


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Each kind of damage."""
    return CASES[request.param]


def look(scene: Scene, *, read_data: bool = True, repair: bool = False) -> Checkup:
    return checkup(scene.destinations, read_data=read_data, repair=repair)


def told(done: Checkup) -> set[tuple[object, str, bool]]:
    return {(each.kind, each.where, each.repairable) for each in done.left}


@pytest.mark.parametrize("read_data", [False, True])
def test_a_healthy_scene_has_no_findings(scene: Scene, read_data: bool) -> None:
    scene.check()
    assert look(scene, read_data=read_data, repair=True) == Checkup([], [], [])
    assert scene.bodies() == scene.bodies(scene.healthy)


def test_each_kind_of_damage_is_found_and_nothing_else(scene: Scene, case: Case, record_property: Record) -> None:
    expected = {each.told for each in case(scene)}
    before = scene.state()
    done = look(scene)
    with proof(record_property, DAMAGED, "kinds", "missed or made up") as tally:
        tally.counts.update({"kinds": 1, "missed or made up": len(told(done) ^ expected)})
    assert told(done) == expected
    assert scene.state() == before, "looking changes nothing"
    assert told(look(scene, read_data=False)) == (set() if case.deep else expected)
    for each in done.left:
        assert each.what
        assert each.remedy
    offered = any("recover" in choice or "rollback" in choice for each in done.left for choice in each.choices)
    assert offered == case.choices


def test_what_has_one_right_answer_is_mended_and_the_rest_is_left(
    scene: Scene, case: Case, record_property: Record
) -> None:
    expected = case(scene)
    broken = scene.bodies()
    done = look(scene, repair=True)
    left = {each.told for each in expected if not each.mends}
    with proof(record_property, DAMAGED, "mended", "left to a person or noted") as tally:
        tally.counts.update({"mended": len(done.mended), "left to a person or noted": len(done.left)})
    assert told(done) == left
    assert {(each.kind, each.where) for each in done.mended} == {each.told[:2] for each in expected if each.mends}
    if not left:
        assert done.failures == []
        scene.check()
    wanted = scene.bodies(scene.healthy) if not left else broken
    for found, right in zip(scene.bodies(), wanted, strict=True):
        mended = {each.key for each in expected if each.mends} if left else set()
        apart = (*case.apart, *mended)
        assert _without(found, apart) == _without(right, apart)
    scene.age()
    assert told(look(scene)) == left, "a second look finds nothing new"


def _without(bodies: dict[str, bytes], apart: tuple[str, ...]) -> dict[str, bytes]:
    return {key: body for key, body in bodies.items() if not key.startswith(apart)}


def test_what_needs_no_act_is_told_and_is_not_wrong(scene: Scene) -> None:
    for name in ("foreign_names_beside_versions", "log_whose_times_go_back"):
        CASES[name](scene)
    done = look(scene, repair=True)
    assert len(done.left) == 5
    assert done.wrong == []
    CASES["file_of_no_manifest"](scene)
    CASES["hold_of_long_ago"](scene)
    assert {each.kind for each in look(scene).wrong} == {Damage.FILE_EXTRA, Damage.LONG_HOLD}


def test_a_note_bars_no_version_from_a_recovery(scene: Scene) -> None:
    CASES["foreign_names_beside_versions"](scene)
    CASES["file_of_no_manifest"](scene)
    CASES["pointer_missing"](scene)
    (lost,) = (each for each in look(scene).left if each.kind is Damage.POINTER_MISSING)
    assert f" {LIVE} " in lost.choices[0]


def test_there_are_many_kinds() -> None:
    assert len(CASES) >= 30


def test_examine_lists_each_store_once(scene: Scene) -> None:
    assert examine(ReleaseStore(scene.home, [Follower(scene.follower)])) == []
