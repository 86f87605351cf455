"""What a page shows of a model's releases, and how few requests it takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from model_release.documents import layout
from model_release.documents.version import FIRST, Bump, Version
from model_release.releases import acts
from model_release.releases.overview import ROWS, Overview
from model_release.releases.store import Follower, ReleaseStore
from support.damaged_stores.scene import verdict
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.release_builder import Chain, act, begun, make


def looked(home: MemoryStore, *followers: MemoryStore) -> Overview:
    return Overview(ReleaseStore(home, [Follower(each) for each in followers]))


def test_before_the_first_release_nothing_is_live_and_nothing_is_amiss() -> None:
    glance = looked(MemoryStore()).glance()

    assert (glance.pointer, glance.moves.rows) == (None, [])
    assert looked(MemoryStore()).versions().rows == []


def test_what_is_live_is_shown_with_the_change_that_made_it_live_though_holds_came_after(tmp_path: Path) -> None:
    home = begun(tmp_path, ["a", "b"])
    for number in range(5):
        acts.hold(ReleaseStore(home), act(f"hold-{number}"))

    glance = looked(home).glance()

    assert glance.pointer is not None and glance.began is not None
    assert (str(glance.pointer.version), glance.pointer.epoch, len(glance.pointer.holds)) == ("v1.1.0", 7, 5)
    assert (glance.began.kind.value, glance.began.by) == ("promote", "retrain_heart_disease")
    assert glance.headline is not None
    assert (glance.headline.called, glance.headline.measured.low) == ("accuracy", 0.806)
    assert [(each.epoch, each.change.kind.value) for each in glance.moves.rows] == [
        (7, "hold"),
        (6, "hold"),
        (5, "hold"),
    ]
    assert glance.moves.older == 4


def test_moves_go_back_to_the_first_one_page_by_page(tmp_path: Path) -> None:
    home = begun(tmp_path, [f"night-{number}" for number in range(12)])
    overview = looked(home)
    moves = overview.glance().moves
    epochs = [each.epoch for each in moves.rows]
    while moves.older is not None:
        moves = overview.moves(moves.older)
        epochs += [each.epoch for each in moves.rows]

    assert epochs == [*range(12, 0, -1)]
    assert moves.rows[-1].difference is None
    assert overview.glance().moves.rows[0].difference == pytest.approx(0)


def test_destinations_that_are_behind_or_away_are_told(tmp_path: Path) -> None:
    home, same, behind, empty = (MemoryStore(name) for name in ("home", "same", "behind", "empty"))
    Chain(home, [same, behind]).release(make(tmp_path, "a", as_of=date(2024, 4, 1)))
    Chain(home, [same]).release(make(tmp_path, "b", as_of=date(2024, 4, 2), since=1), since=1)

    places = looked(home, same, behind, empty).glance().places

    assert [(str(each.version), each.agrees) for each in places] == [
        ("v1.1.0", True), ("v1.1.0", True), ("v1.0.0", False), ("None", False)
    ]  # fmt: skip
    assert places[-1].fault == "it has no latest.json yet"


def test_versions_that_were_never_live_patches_and_majors_are_listed_downward(tmp_path: Path) -> None:
    home = begun(tmp_path, ["a", "b"])
    for name, bump in [("c", Bump.MINOR), ("d", Bump.MINOR), ("e", Bump.PATCH), ("f", Bump.MAJOR)]:
        Chain(home).publish(make(tmp_path, name), bump=bump)
    acts.quarantine(ReleaseStore(home), Version(1, 3, 0), act("bad"))
    overview = looked(home)
    first = overview.versions()
    rows = [*first.rows]
    while first.below is not None:
        first = overview.versions(first.below)
        rows += first.rows

    assert [(str(each.version), each.state) for each in rows] == [
        ("v2.0.0", "published"),
        ("v1.3.0", "quarantined"),
        ("v1.2.0", "published"),
        ("v1.1.1", "published"),
        ("v1.1.0", "live"),
        ("v1.0.0", "published"),
    ]
    assert home.get(layout.NEAR_THE_LAST) is None, "a look wrote a note"


def test_a_look_takes_a_dozen_requests_at_most_however_many_versions_there_are(tmp_path: Path) -> None:
    home = begun(tmp_path, ["night-0"])
    pointer = json.loads(home.get(layout.POINTER).body)  # type: ignore[union-attr]
    manifest, claim = (home.get(f"v1.0.0/{name}").body for name in ("metadata.json", "claim.json"))  # type: ignore[union-attr]
    for number in range(1, 3000):
        version = str(FIRST.next(Bump.MINOR, number))
        put(home, f"{version}/claim.json", claim)
        put(home, f"{version}/metadata.json", manifest.replace(b'"1.0.0"', f'"{version[1:]}"'.encode()))
        change = pointer["change"] | {"from": pointer["version"], "to": version, "kind": "promote"}
        pointer |= {"epoch": number + 1, "since": number + 1, "version": version, "previous": pointer["version"]}
        pointer["change"] = change
        put(home, layout.log_entry(number + 1), json.dumps(pointer).encode())
    home.replace(layout.POINTER, json.dumps(pointer).encode(), home.get(layout.POINTER).token)  # type: ignore[union-attr]

    counts = []
    looks: list[Callable[[Overview], object]] = [
        lambda each: each.glance(),
        lambda each: each.moves(2500),
        lambda each: each.versions(Version(1, 2500, 0)),
    ]
    for look in looks:
        overview = looked(home, home, home)
        look(overview)
        counts.append(overview.memory.requests)
    glance = overview.glance()

    assert str(glance.pointer.version) == "v1.2999.0"  # type: ignore[union-attr]
    assert max(counts) <= 12, counts
    before = overview.memory.requests
    overview.glance()
    assert overview.memory.requests - before == 4, "what nobody may change was read again"
    assert len(overview.moves(2900).rows) == ROWS


def test_on_the_wire_the_first_page_takes_a_dozen_requests_with_three_followers(tmp_path: Path) -> None:
    home = begun(tmp_path, [f"night-{number}" for number in range(6)])
    asked: list[str] = []

    def counted(request: Request) -> Any:
        asked.append(str(request))
        return request.perform()

    followers = [Follower(Interposed(home.clone(), counted)) for _ in range(3)]
    overview = Overview(ReleaseStore(Interposed(home, counted), followers))
    for most in (12, 6):
        asked.clear()
        glance = overview.glance()
        assert glance.pointer is not None and overview.back(glance.pointer) == Version(1, 4, 0)
        assert len(asked) <= most, asked


def put(home: MemoryStore, key: str, body: bytes) -> None:
    home.create(key, body)


def test_a_manifest_that_cannot_be_read_costs_its_row_the_figures_alone(tmp_path: Path) -> None:
    home = begun(tmp_path, ["a"])
    stored = home.get("v1.0.0/metadata.json")
    assert stored is not None
    home.replace("v1.0.0/metadata.json", b"{", stored.token)

    glance = looked(home).glance()

    assert (glance.manifest, glance.headline) == (None, None)
    assert [str(each.live) for each in glance.moves.rows] == ["v1.0.0"]


def test_decisions_are_listed_the_newest_first_rejected_and_unreadable_ones_too(tmp_path: Path) -> None:
    home = begun(tmp_path, ["a"])
    for number in range(ROWS + 2):
        each = verdict(f"night-{number}")
        put(home, each.key, each.to_bytes())
        home.ahead += timedelta(minutes=1)
    put(home, layout.decision("0" * 64, 1, "broken"), b"{}")
    put(home, layout.version_of("0" * 64), b"{}")
    overview = looked(home)
    first = overview.decisions()
    assert [each.record and each.record.run for each in first.rows] == [
        None,
        *(f"run-night-{number}" for number in range(ROWS + 1, 2, -1)),
    ]
    assert (first.after, first.more) == (ROWS, False)
    rest = overview.decisions(ROWS)
    assert [each.record and each.record.run for each in rest.rows[:2]] == ["run-night-2", "run-night-1"]
    before = overview.memory.requests
    overview.decisions()
    assert overview.memory.requests - before == 1, "a verdict, which nobody may change, was read again"
