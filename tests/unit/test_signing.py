"""Signatures of releases: what they cover, whom they trust, and what is said when they do not fit."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from model_release import signing
from model_release.documents import layout, limits
from model_release.documents.base import sha256_of
from model_release.documents.manifest import Manifest
from model_release.documents.version import FIRST, Version
from model_release.errors import Corrupt, ModelReleaseError, Refused, UsageError
from model_release.signing import SigningKey, sign, verify
from support.release_builder import make
from support.signing_keys import certificate, pem_of, private_key, public_pem

MODEL = "heart-disease-models"
KEY = private_key()


def key_of(pem: bytes, **more: object) -> SigningKey:
    return SigningKey.read(pem, where="here", **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed version's folder, as the client has fetched it; `public.pem` lies beside it."""
    root = tmp_path_factory.mktemp("signed")
    return _signed(root, "night", key_of(pem_of(KEY)))


def _signed(root: Path, name: str, key: SigningKey, *, version: Version = FIRST, model: str = MODEL) -> Path:
    made = make(root, name)
    folder = made.folder.rename(made.folder.parent / model)
    (folder / layout.MANIFEST).write_bytes(made.draft.model_copy(update={"version": version}).to_bytes())
    (folder / layout.SIGNATURE).write_bytes(sign(folder, key))
    (root / "public.pem").write_bytes(key.trust)
    return folder


@pytest.fixture
def folder(signed: Path, tmp_path: Path) -> Path:
    """A copy of it, under a name that says nothing, to be tampered with."""
    shutil.copy(signed.parent / "public.pem", tmp_path / "public.pem")
    return shutil.copytree(signed, tmp_path / "download")


def check(folder: Path, trust: Path | None = None) -> Manifest:
    return verify(folder, trust or folder.parent / "public.pem", model=MODEL, version=FIRST)


def test_a_signed_release_is_verified(folder: Path) -> None:
    (folder / layout.CLAIM).write_text("{}")  # lies in the same folder of the store
    assert check(folder).model_name == "heart-disease"


PATHS = ["best_model.pkl", "preprocessor.pkl", "model_card.html", layout.MANIFEST]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.refuses("signatures")
def test_one_changed_byte_is_named(folder: Path, path: str) -> None:
    body = bytearray((folder / path).read_bytes())
    body[-3] ^= 1
    (folder / path).write_bytes(bytes(body))
    with pytest.raises(Corrupt, match=f"changed since it was signed: {path}\n") as error:
        check(folder)
    assert str(folder) in str(error.value)


@pytest.mark.refuses("signatures")
def test_what_is_missing_or_came_later_is_named(folder: Path) -> None:
    (folder / "preprocessor.pkl").unlink()
    (folder / "sub").mkdir()
    (folder / "sub" / "extra.pkl").write_bytes(b"x")
    with pytest.raises(Corrupt, match=r"changed since it was signed: preprocessor\.pkl, sub/extra\.pkl"):
        check(folder)


@pytest.mark.refuses("signatures")
def test_recomputed_digests_do_not_help(folder: Path) -> None:
    """Somebody who may write into the bucket swaps the model and makes all of its digests right."""
    manifest = Manifest.read((folder / layout.MANIFEST).read_bytes(), where="here")
    other = b"another model"
    (folder / "best_model.pkl").write_bytes(other)
    entries = [
        each.model_copy(update={"size": len(other), "sha256": sha256_of(other)})
        if each.path == "best_model.pkl"
        else each
        for each in manifest.files
    ]
    (folder / layout.MANIFEST).write_bytes(manifest.model_copy(update={"files": entries}).to_bytes())
    with pytest.raises(Corrupt, match=r"changed since it was signed: best_model\.pkl, metadata\.json"):
        check(folder)
    shutil.rmtree(folder.parent / MODEL, ignore_errors=True)
    renamed = folder.rename(folder.parent / MODEL)
    (renamed / layout.SIGNATURE).unlink()
    (renamed / layout.SIGNATURE).write_bytes(sign(renamed, key_of(pem_of(private_key()))))
    with pytest.raises(Refused, match="the release is signed by key"):
        check(renamed, folder.parent / "public.pem")


@pytest.mark.parametrize(
    ("model", "version", "taken"),
    [("fraud-models", FIRST, MODEL), (MODEL, Version(1, 2, 0), "v1.2.0")],
)
@pytest.mark.refuses("signatures")
def test_another_release_by_the_same_key_is_refused(tmp_path: Path, model: str, version: Version, taken: str) -> None:
    """A good signature of another model, or of another version, in the place of this one."""
    folder = _signed(tmp_path, "night", key_of(pem_of(KEY)), model=model)
    with pytest.raises(Corrupt, match=f"this is {model} v1.0.0, with a valid signature, in the place of {taken}"):
        verify(folder, tmp_path / "public.pem", model=MODEL, version=version)


def test_any_of_several_trusted_keys_will_do(folder: Path) -> None:
    """So that a key can be changed: consumers trust the next one before it signs."""
    trust = folder.parent / "both.pem"
    trust.write_bytes(b"the next key\n" + public_pem(private_key()) + (folder.parent / "public.pem").read_bytes())
    assert check(folder, trust).version == FIRST
    trust.write_bytes(public_pem(private_key()))
    with pytest.raises(Refused, match="signed by key .* and .*both.pem has key"):
        check(folder, trust)


def test_certificates_reach_up_to_the_root(tmp_path: Path) -> None:
    root, middle, leaf = private_key(), private_key(), private_key()
    top = certificate("root", root, authority=True)
    between = certificate("middle", middle, issuer="root", by=root, authority=True)
    own = certificate("leaf", leaf, issuer="middle", by=middle)
    folder = _signed(tmp_path, "night", key_of(pem_of(leaf), certificates=own + between + top))
    assert (tmp_path / "public.pem").read_bytes() == top
    assert check(folder).version == FIRST
    for stranger, why in (
        (certificate("root", root := private_key(), authority=True), "by no trusted key"),
        (public_pem(leaf), "signed with a certificate, and .* has key"),
    ):
        (tmp_path / "other.pem").write_bytes(stranger)
        with pytest.raises(Refused, match=why):
            check(folder, tmp_path / "other.pem")
    (folder / "best_model.pkl").write_bytes(b"x")
    with pytest.raises(Corrupt, match=r"changed since it was signed: best_model\.pkl"):
        check(folder)
    for chain in (own + between, certificate("leaf", leaf, issuer="root", by=root, signs=False) + top):
        with pytest.raises(UsageError, match="cannot be verified with its certificates"):
            sign(folder, key_of(pem_of(leaf), certificates=chain))
    alone = _signed(tmp_path, "alone", key_of(pem_of(leaf), certificates=certificate("me", leaf)), model="alone")
    assert verify(alone, tmp_path / "public.pem", model=None, version=None).version == FIRST


def no_signature(folder: Path) -> None:
    (folder / layout.SIGNATURE).unlink()


def not_json(folder: Path) -> None:
    (folder / layout.SIGNATURE).write_bytes(b"\xff")


def nothing_signed(folder: Path) -> None:
    (folder / layout.SIGNATURE).write_text("{}")


def huge(folder: Path) -> None:
    (folder / layout.SIGNATURE).write_bytes(b" " * (limits.SIGNATURE + 1))


def other_bytes_signed(folder: Path) -> None:
    path = folder / layout.SIGNATURE
    bundle = json.loads(path.read_bytes())
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = "AAAA"
    path.write_text(json.dumps(bundle))


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        (no_signature, Refused, "has no model.sig: it is not signed"),
        (not_json, Corrupt, "no signature of model-signing"),
        (nothing_signed, Corrupt, "no signature of model-signing"),
        (huge, Corrupt, "is larger than 1,000,000 bytes"),
        (other_bytes_signed, Refused, "by no trusted key"),
    ],
)
@pytest.mark.refuses("signatures")
def test_a_bad_signature_says_what_is_wrong(
    folder: Path, damage: Callable[[Path], None], kind: type[ModelReleaseError], words: str
) -> None:
    damage(folder)
    with pytest.raises(kind, match=words):
        check(folder)


@pytest.mark.refuses("signatures")
def test_a_signature_of_fewer_files_is_not_enough(signed: Path, tmp_path: Path) -> None:
    """The same key may sign other things; a release's signature covers all that its manifest lists."""
    folder = shutil.copytree(signed, tmp_path / MODEL)
    manifest = Manifest.read((folder / layout.MANIFEST).read_bytes(), where="here")
    less = manifest.model_copy(update={"files": manifest.files[:1]})
    (folder / layout.MANIFEST).write_bytes(less.to_bytes())
    (folder / layout.SIGNATURE).unlink()
    with pytest.raises(UsageError):
        sign(folder, key_of(pem_of(KEY)))


@pytest.mark.parametrize(
    ("pem", "words"),
    [(b"", "neither a public key nor a certificate"), (pem_of(KEY), "holds a private key"), (None, "cannot be read")],
)
@pytest.mark.refuses("signatures")
def test_what_cannot_be_trusted_is_refused(folder: Path, pem: bytes | None, words: str) -> None:
    trust = folder.parent / "trust.pem"
    if pem is not None:
        trust.write_bytes(pem)
    with pytest.raises(UsageError, match=words) as error:
        check(folder, trust)
    assert error.value.where == str(trust)


@pytest.mark.parametrize("module", ["model_signing", "cryptography"])
def test_what_is_not_installed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=f"signatures need {module}, which is not installed"):
        key_of(pem_of(KEY)) if module == "cryptography" else check(folder)


def test_a_private_key_never_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = pem_of(KEY, passphrase="open sesame")
    secrets = [pem_of(KEY).splitlines()[1].decode(), locked.splitlines()[2].decode(), "open sesame", "wrong"]
    key = key_of(locked, passphrase="open sesame")
    said = [repr(key)]
    other = certificate("other", private_key())
    for pem, more in (
        (locked, {"passphrase": "wrong"}),
        (locked, {}),
        (pem_of(KEY), {"passphrase": "open sesame"}),
        (pem_of(KEY), {"certificates": other}),
        (pem_of(KEY), {"certificates": b"wrong"}),
        (pem_of(private_key(ec.SECP256K1())), {}),
        (b"wrong", {}),
    ):
        with pytest.raises(UsageError) as error:
            key_of(pem, **more)
        assert error.value.__suppress_context__ or error.value.__context__ is None
        said.append(str(error.value))
    for secret in secrets:
        assert not [words for words in said if secret in words]
    path = tmp_path / "key.pem"
    monkeypatch.setenv(signing.KEY_FILE, str(path))
    with pytest.raises(UsageError, match=f"{signing.KEY_FILE}={path}: cannot be read"):
        signing.key_of_environment()
    path.write_bytes(locked)
    monkeypatch.setenv(signing.PASSPHRASE, "open sesame")
    assert signing.needed_key("model_signing") == key
    monkeypatch.delenv(signing.KEY_FILE)
    with pytest.raises(UsageError, match="signed, by the key of Airflow's connection 'model_signing'"):
        signing.needed_key("model_signing")


def test_no_key_is_left_on_a_disk(signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a descriptor left open."""
    written: list[Path] = []
    real = Path.write_bytes

    def write(path: Path, body: bytes) -> int:
        written.append(path)
        return real(path, body)

    monkeypatch.setattr(Path, "write_bytes", write)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = len([*Path("/dev/fd").iterdir()])
    folder = shutil.copytree(signed, tmp_path / MODEL)
    sign(folder, key_of(pem_of(KEY)))
    assert [path.name for path in tmp_path.iterdir()] == [MODEL]
    assert {path.name for path in written} == {layout.SIGNATURE}
    assert len([*Path("/dev/fd").iterdir()]) == before
