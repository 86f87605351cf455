"""What is particular to the folder store: file systems, links, and what the disk says."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from model_release.errors import CredentialsRefused, NotFound, Refused, StoreUnavailable, UnsafeKey
from model_release.stores import local, open_store
from model_release.stores.local import HIDDEN, LocalStore, filesystem_of


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph"])
def test_network_file_systems_are_refused_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(local, "filesystem_of", lambda path: kind)
    with pytest.raises(Refused, match=kind):
        open_store(tmp_path.as_uri())
    opened = open_store(f"{tmp_path.as_uri()}?allow_network=true")
    assert opened.uri == tmp_path.as_uri()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "overlay", "tmpfs", "autofs", "unknown"])
def test_local_file_systems_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(local, "filesystem_of", lambda path: kind)
    assert open_store(tmp_path.as_uri()).get("key") is None


def test_the_nearest_mount_names_the_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = "\n".join(
        [
            "22 1 0:20 / / rw - ext4 /dev/sda1 rw",
            "23 22 0:21 / /srv/share\\040one rw,relatime shared:1 - nfs4 server:/export rw",
            "24 23 0:22 / /srv/share\\040one/disk rw - xfs /dev/sdb1 rw",
        ]
    )
    monkeypatch.setattr(Path, "exists", lambda self: True)
    monkeypatch.setattr(Path, "read_text", lambda self: mounts)
    found = {
        name: filesystem_of(Path(name)) for name in ("/srv/share one/models", "/srv/share one/disk/x", "/srv/shareX")
    }
    assert found == {"/srv/share one/models": "nfs4", "/srv/share one/disk/x": "xfs", "/srv/shareX": "ext4"}


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    store = LocalStore(tmp_path / "store")
    store.create("inside", b"x")
    (store.root / "folder").symlink_to(outside)
    (store.root / "file").symlink_to(outside / "secret")
    for key in ("folder/secret", "file"):
        with pytest.raises(UnsafeKey, match="link"):
            store.get(key)
        with pytest.raises(UnsafeKey, match="link"):
            store.upload(key, outside / "secret")
        with pytest.raises(UnsafeKey, match="link"):
            store.delete(key)
    assert (outside / "secret").read_bytes() == b"secret"
    (store.root / "alias").symlink_to("inside")
    assert [entry.key for entry in store.list()] == ["alias", "inside"]


def test_a_root_that_is_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = LocalStore(tmp_path / "link")
    store.create("a/b", b"x")
    assert [entry.key for entry in store.list()] == ["a/b"]


def test_nothing_is_written_by_opening_and_reading(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    assert store.get("key") is None
    assert [*store.list()] == []
    assert not store.root.exists()


def test_what_is_not_the_stores_own_is_not_listed(tmp_path: Path) -> None:
    """A file that a desktop left behind must not stop a run that cleans `latest/`."""
    store = LocalStore(tmp_path / "store")
    store.create("latest/a", b"x")
    (store.root / "latest" / ".DS_Store").write_bytes(b"")
    (store.root / "latest" / "notes (copy).txt").write_bytes(b"")
    assert (store.root / HIDDEN).is_dir()
    assert [entry.key for entry in store.list()] == ["latest/a"]


def test_nothing_hidden_is_left(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    (tmp_path / "file").write_bytes(b"x")
    store.create("a", b"x")
    store.create("a", b"y")
    store.upload("b", tmp_path / "file")
    store.replace("b", b"y", "stale")
    assert [each.name for each in (store.root / HIDDEN).iterdir()] == ["lock"]


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (errno.ENOSPC, StoreUnavailable, "free some space"),
        (errno.EIO, StoreUnavailable, "the disk says"),
        (errno.EACCES, CredentialsRefused, "owner and mode"),
    ],
)
def test_disk_errors_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception], said: str
) -> None:
    store = LocalStore(tmp_path / "store")
    (tmp_path / "file").write_bytes(b"x")

    def fails(handle: int) -> None:
        raise OSError(code, os.strerror(code), "a file")

    monkeypatch.setattr(os, "fsync", fails)
    for call in (lambda: store.create("key", b"x"), lambda: store.upload("key", tmp_path / "file")):
        with pytest.raises(error, match=said):
            call()
    assert store.get("key") is None


def test_a_folder_in_the_place_of_an_object_is_refused_with_its_path(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    (tmp_path / "file").write_bytes(b"x")
    place = store.root / "a" / "b"
    place.mkdir(parents=True)
    said = rf"\n  → a person at this machine moves {place} away"
    calls: list[Callable[[], None]] = [
        lambda: store.upload("a/b", tmp_path / "file"),
        lambda: store.download("a/b", tmp_path / "new"),
        lambda: store.delete("a/b"),
    ]
    for call in calls:
        with pytest.raises(Refused) as error:
            call()
        assert re.search(said, str(error.value))
    assert place.is_dir()


@pytest.mark.parametrize("dangling", [False, True])
def test_a_file_or_a_dangling_link_in_the_place_of_a_folder_is_refused_with_its_path(
    tmp_path: Path, dangling: bool
) -> None:
    store = LocalStore(tmp_path / "store")
    place = store.root / "a"
    store.root.mkdir()
    if dangling:
        place.symlink_to(store.root / "nowhere")
    else:
        place.write_bytes(b"x")
    with pytest.raises(Refused) as error:
        store.create("a/b/c", b"x")
    assert f"a person at this machine moves {place} away" in str(error.value)


def test_a_disk_without_hard_links_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(source))

    monkeypatch.setattr(os, "link", fails)
    with pytest.raises(Refused, match="hard links"):
        LocalStore(tmp_path / "store").create("key", b"x")


def test_a_folder_that_cannot_be_read_is_not_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path / "store")
    store.create("log/000000000001.json", b"x")

    def fails(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", fails)
    with pytest.raises(CredentialsRefused):
        list(store.list("log/"))


def test_a_missing_target_folder_is_not_a_missing_object(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.create("key", b"x")
    with pytest.raises(StoreUnavailable):
        store.download("key", tmp_path / "nowhere" / "file")
    with pytest.raises(NotFound):
        store.download("missing", tmp_path / "file")
