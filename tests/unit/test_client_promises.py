"""What a consumer reads of the documents by itself is what their own classes say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_release.client.promises import Promised, Resolved
from model_release.documents.manifest import AbandonedManifest, read_manifest
from model_release.documents.pointer import Pointer, why_barred
from model_release.documents.version import Version
from model_release.errors import Corrupt, UnknownFormat
from model_release.spec.transfer import TransferSettings
from model_release.stores.reader import environment

GOLDEN = Path(__file__).parents[1] / "golden"
POINTERS = sorted([*GOLDEN.glob("*/latest.json"), *GOLDEN.glob("*/log/*.json")])
MANIFESTS = sorted(path for path in GOLDEN.glob("*/v*/metadata.json") if b'"abandoned"' not in path.read_bytes())


@pytest.mark.parametrize("path", POINTERS, ids=lambda path: path.stem)
def test_pointers(path: Path) -> None:
    body = path.read_bytes()
    mine, whole = Resolved.read(body, where=""), Pointer.read(body, where="")
    for name in ("lineage", "epoch", "version", "metadata_sha256"):
        assert getattr(mine, name) == getattr(whole, name)
    assert mine.ancestors == {*whole.ancestors}
    versions = {*map(Version.parse, whole.quarantined), *whole.retired, whole.version}
    assert {each: mine.barred.get(str(each)) for each in versions} == {
        each: why_barred(whole, each) for each in versions
    }


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_manifests(path: Path) -> None:
    body = path.read_bytes()
    mine, whole = Promised.read(body, where=""), read_manifest(body, where="")
    assert not isinstance(whole, AbandonedManifest)
    assert (mine.version, mine.sha256) == (whole.version, whole.sha256())
    assert [(each.path, each.size, each.sha256) for each in mine.files] == [
        (each.path, each.size, each.sha256) for each in whole.files
    ]
    assert mine.made_with == {"Python": whole.python_version, **whole.requirements}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", None),
        ("version", 1),
        ("version", "v1.0.0"),
        ("version", "01.0.0"),
        ("files", {}),
        ("files", [1]),
        ("files", [{"path": "a", "size": 1}]),
        ("files", [{"path": "/etc/passwd", "size": 1, "sha256": "0" * 64}]),
        ("files", [{"path": "a", "size": -1, "sha256": "0" * 64}]),
        ("files", [{"path": "a", "size": True, "sha256": "0" * 64}]),
        ("files", [{"path": "a", "size": 1, "sha256": "0" * 63 + "G"}]),
        ("requirements", []),
    ],
)
def test_what_is_no_manifest_of_format_2(name: str, value: object) -> None:
    document = json.loads(MANIFESTS[-1].read_bytes())
    with pytest.raises(Corrupt, match="not what it should be"):
        Promised.read(json.dumps({**document, name: value}).encode(), where="there")


@pytest.mark.parametrize(("name", "value"), [("version", "1.0.0"), ("version", "v01.0.0"), ("dependencies", [])])
def test_what_is_no_manifest_of_format_1(name: str, value: object) -> None:
    document = json.loads(MANIFESTS[0].read_bytes())
    assert document["format"] == 1
    with pytest.raises(Corrupt, match="not what it should be"):
        Promised.read(json.dumps({**document, name: value}).encode(), where="there")


@pytest.mark.parametrize("read", [Promised.read, Resolved.read])
def test_a_format_of_a_newer_version(read: type[Promised]) -> None:
    with pytest.raises(UnknownFormat, match="use a newer version"):
        read(b'{"format": 3}', where="there")  # type: ignore[call-arg]


def test_the_light_way_is_as_patient_as_the_other() -> None:
    told = TransferSettings()
    ours = (environment.CONNECT, environment.READ, environment.DEADLINE, environment.ATTEMPTS)
    assert ours == (told.connect_timeout, told.read_timeout, told.deadline, told.attempts)
