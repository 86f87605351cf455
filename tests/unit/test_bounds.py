"""What is read has a bound: bytes, depth, numbers, dates. A document beyond one is refused, and remembered nowhere."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from model_release import client
from model_release.client.folder import Folder
from model_release.client.promises import Promised, Resolved
from model_release.documents import layout, limits
from model_release.documents.base import Document
from model_release.documents.golden import Golden
from model_release.documents.manifest import Claim, Manifest, read_manifest
from model_release.documents.pointer import Pointer
from model_release.errors import Corrupt, Refused, SpecError, UnsafeKey, UsageError
from model_release.releases import acts
from model_release.releases.catalog import read_pointer
from model_release.releases.claims import Became, Noted
from model_release.releases.decisions import ApprovalAnswer, DecisionRecord
from model_release.releases.doctor.examine import examine
from model_release.releases.doctor.findings import Damage
from model_release.releases.doctor.history import SETTLING
from model_release.releases.store import Follower, ReleaseStore
from model_release.spec.file import read_spec
from model_release.spec.load import MAX_DEPTH, parse_spec
from model_release.spec.summary import summaries
from model_release.stores.local import LocalStore
from model_release.stores.reader.reader import Reader
from support.memory_store import MemoryStore
from support.release_builder import Chain, act, begun, make

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
POINTER = (GOLDEN / "latest.json").read_bytes()
MANIFEST = (GOLDEN / "v1.0.0" / "metadata.json").read_bytes()
HUGE = 3 * 1024**3


@contextmanager
def little_memory() -> Iterator[None]:
    """Fail if the block needs more than the largest document may have, twice."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 3 * limits.VERDICT
    finally:
        tracemalloc.stop()


def grow(path: Path, size: int = HUGE) -> None:
    """Give a file a size, without bytes on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch()
    with path.open("r+b") as file:
        file.truncate(size)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A folder with one release, v1.0.0."""
    made = LocalStore(tmp_path / "store" / "heart-disease-models")
    Chain(made).release(make(tmp_path, "a"))
    return made


@pytest.mark.parametrize(
    ("key", "limit"),
    [
        ("latest.json", limits.POINTER),
        ("log/000000000012.json", limits.POINTER),
        ("v1.0.0/metadata.json", limits.MANIFEST),
        ("latest/metadata.json", limits.MANIFEST),
        ("v1.0.0/claim.json", limits.CLAIM),
        ("v1.0.0/model.sig", limits.SIGNATURE),
        ("decisions/f/000000000001-run.json", limits.VERDICT),
        ("decisions/f/answers/first-run.json", limits.ANSWER),
        ("decisions/f/version.json", limits.ANSWER),
        ("latest_number.json", limits.ANSWER),
        ("datasets/processed/snapshot.json", limits.SMALL),
    ],
)
@pytest.mark.refuses("documents beyond their bounds")
def test_an_object_that_is_read_whole_is_read_up_to_the_bound_of_its_key(key: str, limit: int, tmp_path: Path) -> None:
    folder = LocalStore(tmp_path)
    assert limits.largest(key) == limit
    grow(tmp_path / key, limit + 1)
    with pytest.raises(Corrupt, match=f"{key}: is larger than {limit:,} bytes"):
        folder.get(key)
    grow(tmp_path / key, limit)
    stored = folder.get(key)
    assert stored is not None
    assert len(stored.body) == limit


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        (Pointer, limits.POINTER),
        (Manifest, limits.MANIFEST),
        (Claim, limits.CLAIM),
        (DecisionRecord, limits.VERDICT),
        (ApprovalAnswer, limits.ANSWER),
        (Became, limits.ANSWER),
        (Noted, limits.ANSWER),
        (Golden, limits.GOLDEN),
    ],
)
@pytest.mark.refuses("documents beyond their bounds")
def test_a_document_larger_than_its_bound_is_not_parsed(kind: type[Document], limit: int) -> None:
    with pytest.raises(Corrupt, match=f"is larger than {limit:,} bytes"):
        kind.read(b" " * (limit + 1), where="there")


def test_a_document_that_nobody_could_read_back_is_not_written() -> None:
    home = MemoryStore()
    pointer = Pointer.read(POINTER, where="")
    change = pointer.change.model_copy(update={"reason": "because " * limits.POINTER})
    with pytest.raises(UsageError, match="shorten what was written into it by hand, such as a reason"):
        home.create("latest.json", pointer.model_copy(update={"change": change}).to_bytes())
    assert not [*home.list()]


@pytest.mark.parametrize("name", ["latest.json", "v1.0.0/metadata.json", "v1.0.0/best_model.pkl"])
@pytest.mark.refuses("documents beyond their bounds")
def test_a_pull_of_an_object_of_three_gigabytes_ends_at_its_bound(name: str, store: LocalStore, tmp_path: Path) -> None:
    grow(store.root / name)
    with little_memory(), pytest.raises(Corrupt):
        client.pull(store.uri, to=tmp_path / "to")
    arrived = sum(path.stat().st_size for path in (tmp_path / "to").rglob("*") if path.is_file())
    assert arrived < limits.SMALL
    assert Folder(tmp_path / "to").remembered() is None


def test_the_second_careful_way_of_a_pull_stops_at_what_was_promised(tmp_path: Path) -> None:
    careful = MemoryStore()
    careful.create("v1.0.0/best_model.pkl", b"x" * 729)
    reader = Reader(careful.uri, "none", lambda: careful)
    with pytest.raises(Corrupt, match="is larger than 728 bytes"):
        next(reader.read("v1.0.0/best_model.pkl", 0, 728, tmp_path))
    assert b"".join(reader.read("v1.0.0/best_model.pkl", 1, 729, tmp_path)) == b"x" * 728


@pytest.mark.parametrize("name", ["metadata.json", "best_model.pkl"])
@pytest.mark.refuses("documents beyond their bounds")
def test_a_copy_that_grew_on_this_machine_is_not_hashed_to_its_end(
    name: str, store: LocalStore, tmp_path: Path
) -> None:
    pulled = client.pull(store.uri, to=tmp_path / "to")
    grow(pulled.folder / name)
    with little_memory(), pytest.raises(Corrupt):
        client.open_folder(pulled.folder)
    assert client.pull(store.uri, to=tmp_path / "to").folder != pulled.folder, "it is fetched anew"


def test_a_memory_that_grew_is_not_read_to_its_end(store: LocalStore, tmp_path: Path) -> None:
    client.pull(store.uri, to=tmp_path / "to")
    grow(tmp_path / "to" / "latest.json")
    with little_memory(), pytest.raises(Corrupt, match="is larger than"):
        client.pull(store.uri, to=tmp_path / "to")


IMPLAUSIBLE: list[tuple[str, Any]] = [
    ("epoch", 0),
    ("epoch", -1),
    ("epoch", limits.EPOCH + 1),
    ("epoch", 10**30),
    ("epoch", "5"),
    ("epoch", 5.0),
    ("epoch", True),
    ("since", 0),
    ("since", 10**6),
    ("data_as_of", "9999-12-31"),
    ("data_as_of", "0001-01-01"),
    ("data_as_of", "20260101"),
    ("data_as_of", 1_700_000_000),
]


@pytest.mark.parametrize(("field", "value"), IMPLAUSIBLE)
@pytest.mark.parametrize("read", [Pointer.read, Resolved.read])
@pytest.mark.refuses("documents beyond their bounds")
def test_both_readers_of_a_pointer_refuse_what_is_not_plausible(
    read: Callable[..., Any], field: str, value: object
) -> None:
    read(POINTER, where="there")
    body = json.dumps({**json.loads(POINTER), field: value}).encode()
    with pytest.raises(Corrupt, match=field):
        read(body, where="there")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("files", 0, "size"), limits.SIZE + 1),
        (("files", 0, "size"), -1),
        (("files", 0, "size"), 1.5),
        (("dataset", "rows"), -1),
        (("dataset", "rows"), 10**15),
        (("dataset", "as_of"), "3026-11-30"),
    ],
)
@pytest.mark.parametrize("read", [read_manifest, Promised.read])
@pytest.mark.refuses("documents beyond their bounds")
def test_both_readers_of_a_manifest_refuse_what_is_not_plausible(
    read: Callable[..., Any], place: tuple[Any, ...], value: object
) -> None:
    read(MANIFEST, where="there")
    document = json.loads(MANIFEST)
    inside = document
    for each in place[:-1]:
        inside = inside[each]
    inside[place[-1]] = value
    with pytest.raises(Corrupt, match=place[-1]):
        read(json.dumps(document).encode(), where="there")


@pytest.mark.parametrize("epoch", [limits.EPOCH + 1, 10**18])
@pytest.mark.refuses("documents beyond their bounds")
def test_a_client_never_remembers_an_epoch_that_no_store_can_have(
    epoch: int, store: LocalStore, tmp_path: Path
) -> None:
    pulled = client.pull(store.uri, to=tmp_path / "to")
    path = store.root / "latest.json"
    right = path.read_bytes()
    path.write_text(json.dumps({**json.loads(right), "epoch": epoch}))
    with pytest.raises(Corrupt, match=f"epoch is {epoch}"):
        client.pull(store.uri, to=tmp_path / "to")
    path.write_bytes(right)
    again = client.pull(store.uri, to=tmp_path / "to")
    assert (again.folder, again.changed) == (pulled.folder, False)


def _set(home: MemoryStore, **changes: object) -> None:
    live = read_pointer(home)
    assert live is not None
    home.replace(layout.POINTER, live.pointer.model_copy(update=changes).to_bytes(), live.token)


def long_ago() -> MemoryStore:
    """Return a store whose clock stands so far back that doctor will find nothing of it young."""
    home = MemoryStore()
    home.ahead = -2 * SETTLING
    return home


def test_doctor_tells_a_gap_of_the_log_as_one_range(tmp_path: Path) -> None:
    home = begun(tmp_path, home=long_ago())
    _set(home, epoch=limits.EPOCH)
    home.ahead = timedelta(0)
    found = {each.what: each.kind for each in examine(ReleaseStore(home))}
    assert found == {
        "the log lacks epochs 2 to 999,999": Damage.LOG_MISSING,
        "the log lacks the epoch of latest.json, 1000000": Damage.LOG_MISSING,
    }


def test_doctor_tells_the_gaps_between_entries_and_mends_what_a_follower_has(tmp_path: Path) -> None:
    home = begun(tmp_path, home=long_ago())
    for number in range(9):
        acts.hold(ReleaseStore(home), act(f"hold {number}"))
        acts.unhold(ReleaseStore(home), act(f"unhold {number}"))
    follower = home.clone()
    follower.uri = "memory://follower"
    for epoch in (3, 4, 5, 9, 12):
        home.delete(layout.log_entry(epoch))
    for epoch in (3, 4, 5, 9):
        follower.delete(layout.log_entry(epoch))
    home.ahead = timedelta(0)
    found = {
        each.what: each.repairable
        for each in examine(ReleaseStore(home, [Follower(follower)]))
        if each.destination == home.uri
    }
    assert found == {
        "the log lacks epochs 3 to 5": False,
        "the log lacks epoch 9": False,
        "the log lacks epoch 12": True,
    }


def test_doctor_finds_an_epoch_that_no_store_can_have(tmp_path: Path) -> None:
    home = begun(tmp_path)
    stored = home.get(layout.POINTER)
    assert stored is not None
    body = json.dumps({**json.loads(stored.body), "epoch": 10**9}).encode()
    home.replace(layout.POINTER, body, stored.token)
    (found,) = examine(ReleaseStore(home))
    assert found.kind is Damage.POINTER_UNREADABLE
    assert "epoch" in found.what


def test_data_from_the_future_is_found_and_a_promotion_is_the_way_out(tmp_path: Path) -> None:
    home = begun(tmp_path)
    manifest = Chain(home).publish(make(tmp_path, "second"))
    _set(home, data_as_of=date(2099, 1, 1))
    home.delete(layout.log_entry(1))
    (found,) = (each for each in examine(ReleaseStore(home)) if each.kind is Damage.FUTURE_DATA)
    assert "as of 2099-01-01, and the store's clock says" in found.what
    assert "promote" in found.choices[0]
    done = acts.promote(ReleaseStore(home), manifest.version, act("op"), overrule=True)
    assert done.pointer.version == manifest.version
    assert not done.pointer.quarantined
    assert not [each for each in examine(ReleaseStore(home)) if each.kind is Damage.FUTURE_DATA]


def test_a_promotion_still_goes_back_for_no_date_that_has_come(tmp_path: Path) -> None:
    home = begun(tmp_path)
    manifest = Chain(home).publish(make(tmp_path, "older", as_of=date(2024, 3, 1)))
    with pytest.raises(Refused, match="latest only moves forward"):
        acts.promote(ReleaseStore(home), manifest.version, act("op"), overrule=True)


def _twice(body: bytes, key: str) -> bytes:
    """Return a JSON document with one of its keys once more, first, with another value."""
    return body.replace(f'"{key}"'.encode(), f'"{key}": null, "{key}"'.encode(), 1)


@pytest.mark.parametrize(
    ("read", "body", "key"),
    [
        (Pointer.read, POINTER, "metadata_sha256"),
        (Resolved.read, POINTER, "epoch"),
        (Pointer.read, POINTER, "by"),
        (read_manifest, MANIFEST, "files"),
        (Promised.read, MANIFEST, "path"),
        (read_manifest, MANIFEST, "sha256"),
        (Claim.read, (GOLDEN / "v1.0.0" / "claim.json").read_bytes(), "run"),
    ],
)
@pytest.mark.refuses("documents beyond their bounds")
def test_a_repeated_key_is_refused_and_named(read: Callable[..., Any], body: bytes, key: str) -> None:
    with pytest.raises(Corrupt, match=f"'{key}' stands twice"):
        read(_twice(body, key), where="there")


@pytest.mark.parametrize("body", [b'{"epoch": NaN}', b"\xef\xbb\xbf{}", b'{"a": "\\ud800"}', b"[" * 100_000, b"\xff"])
@pytest.mark.parametrize("read", [Pointer.read, Resolved.read])
@pytest.mark.refuses("documents beyond their bounds")
def test_both_readers_take_the_same_for_json(read: Callable[..., Any], body: bytes) -> None:
    with pytest.raises(Corrupt, match="there: not"):
        read(body, where="there")


PATHS = [
    (["a/model.pkl", "a/Model.pkl"], "differs from 'a/model.pkl' in case only"),
    (["model.pkl", "model.pkl"], "'model.pkl' stands twice"),
    (["code", "code/module.py"], "'code/module.py' lies below 'code'"),
    (["CODE/a/b.py", "code/A"], "'CODE/a/b.py' lies below 'code/A'"),
    (["nul"], "'nul', the name of a device"),
    (["data/COM1.txt"], "'COM1.txt', the name of a device"),
    (["metadata.json"], "the name of a document"),
    (["Claim.json"], "the name of a document"),
    (["model.sig"], "the name of a document"),
]


@pytest.mark.parametrize(("paths", "said"), PATHS)
@pytest.mark.refuses("documents beyond their bounds")
def test_paths_that_cannot_lie_beside_each_other_are_refused_when_published(paths: list[str], said: str) -> None:
    document = Manifest.read(MANIFEST, where="")
    entries = [document.files[0].model_copy(update={"path": path}) for path in paths]
    with pytest.raises(UnsafeKey, match=said):
        Manifest(**{**document.__dict__, "files": entries})


@pytest.mark.parametrize("read", [read_manifest, Promised.read])
@pytest.mark.parametrize(("paths", "said"), PATHS)
@pytest.mark.refuses("documents beyond their bounds")
def test_paths_that_cannot_lie_beside_each_other_are_refused_when_pulled(
    read: Callable[..., Any], paths: list[str], said: str
) -> None:
    document = json.loads(MANIFEST)
    document["files"] = [{**document["files"][0], "path": path} for path in paths]
    with pytest.raises(Corrupt, match=said):
        read(json.dumps(document).encode(), where="there")


def test_paths_that_share_a_folder_are_fine() -> None:
    layout.check_paths(["code/a.py", "Code/b.py", "code/a.py.txt", "codes", "console", "nullable.txt"])


LEVELS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{each}: &a{each} [{', '.join([f'*a{each - 1}'] * 10)}]\n" for each in range(1, 10)
)
MERGED = "a0: &a0 {k: 1}\n" + "".join(
    f"a{each}: &a{each} {{<<: [{', '.join([f'*a{each - 1}'] * 10)}]}}\n" for each in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LEVELS, "with its aliases written out"),
        (MERGED, "with its aliases written out"),
        ("a: &a [*a]", "with its aliases written out"),
        (f"a: {'[' * (MAX_DEPTH + 1)}{']' * (MAX_DEPTH + 1)}", f"line 1: nested deeper than {MAX_DEPTH} levels"),
        ("\n".join(" " * each + "a:" for each in range(60)), f"line {MAX_DEPTH + 1}: nested deeper"),
    ],
)
@pytest.mark.refuses("documents beyond their bounds")
def test_yaml_that_stands_for_more_than_a_spec_is_refused(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        parse_spec(text.encode(), Path("spec.yaml"))


def test_a_file_too_large_for_a_spec_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "spec.yaml"
    grow(path)
    with little_memory(), pytest.raises(SpecError, match="is larger than"):
        read_spec(path)
    monkeypatch.setenv("MODEL_RELEASE_SPECS", str(path))
    (fault,) = summaries(tmp_path)
    assert "is larger than" in str(fault)
