"""From a URI to a model that answers: which form, which signature, and what is refused before it is opened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model_release import client
from model_release.client.promises import Promised
from model_release.documents import layout
from model_release.documents.base import sha256_of
from model_release.documents.manifest import Manifest
from model_release.documents.version import FIRST
from model_release.errors import Corrupt, Refused
from model_release.signing import SigningKey, sign
from model_release.stores.local import LocalStore
from support.release_builder import Chain
from support.servable_releases import golden, release, trained, version_folder
from support.signing_keys import pem_of, private_key

KEY = SigningKey.read(pem_of(private_key()), where="here")


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A store with one real release."""
    root = tmp_path / "store" / "heart-disease-models"
    release(root, 1.0)
    return LocalStore(root)


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "to"


def signature(store: LocalStore, tmp_path: Path, key: SigningKey = KEY) -> None:
    """Sign what lies there now."""
    folder = tmp_path / "signing" / "heart-disease-models"
    shutil.copytree(store.root / "v1.0.0", folder)
    (folder / layout.CLAIM).unlink()
    (store.root / "v1.0.0" / layout.SIGNATURE).write_bytes(sign(folder, key))
    shutil.rmtree(folder)


def trust(tmp_path: Path, key: SigningKey = KEY) -> Path:
    (tmp_path / "public.pem").write_bytes(key.trust)
    return tmp_path / "public.pem"


@pytest.mark.parametrize("allow_pickle", [False, True])
def test_both_forms_answer_as_in_training(store: LocalStore, to: Path, allow_pickle: bool) -> None:
    model = client.load(store.uri, to=to, allow_pickle=allow_pickle)
    assert model.form == ("pickle" if allow_pickle else "onnx")
    known = golden(1.0)
    answers = model.predict(known.rows)
    assert answers.probabilities is not None
    assert known.disagreement(answers.classes, answers.probabilities) is None


def test_no_form_stands_in_for_another(tmp_path: Path) -> None:
    version_folder(tmp_path / "pickled", 1.0, without=("model.onnx",))
    with pytest.raises(Refused, match="has no onnx form\n  → allow_pickle=True opens its pickled pipeline"):
        client.open_folder(tmp_path / "pickled")
    assert client.open_folder(tmp_path / "pickled", allow_pickle=True).form == "pickle"
    version_folder(tmp_path / "plain", 1.0, without=("preprocessor.pkl",))
    with pytest.raises(Refused, match="has no pickle form"):
        client.open_folder(tmp_path / "plain", allow_pickle=True)


def test_a_preprocessor_of_another_release_is_refused(tmp_path: Path) -> None:
    first, _ = version_folder(tmp_path / "first", 1.0)
    other, _ = version_folder(tmp_path / "other", 0.01)
    shutil.copy(other / "preprocessor.pkl", first / "preprocessor.pkl")
    shutil.copy(other / "best_model.pkl", first / "best_model.pkl")
    with pytest.raises(Corrupt, match="best_model.pkl: has"):
        client.open_folder(first, allow_pickle=True)


def test_what_made_the_pickles_must_fit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = trained(1.0)
    told = {"python_version": "3.7.2", "requirements": {"scikit-learn": "0.24.1", "numpy": "1.0"}}
    old = type(made)(made.folder, made.draft.model_copy(update=told), made.run)
    root = tmp_path / "heart-disease-models"
    Chain(LocalStore(root)).release(old)
    assert client.load(str(root), to=tmp_path / "to").form == "onnx", "which needs neither"
    for words in ("and v1.0.0 was made with Python 3.7.2", "and v1.0.0 was made with scikit-learn 0.24.1"):
        assert words in caplog.text
    assert "numpy" not in caplog.text
    with pytest.raises(Refused, match=r"Python 3\.7\.2; scikit-learn .* was made with scikit-learn 0\.24\.1"):
        client.load(str(root), to=tmp_path / "to", allow_pickle=True)


def test_a_folder_of_this_user_by_default(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_RELEASE_CACHE", str(tmp_path / "cache"))
    client.load(store.uri)
    (copy,) = (tmp_path / "cache" / "models").glob("*/v1.0.0-*")
    assert (copy / "model.onnx").is_file()


def test_what_is_trusted(store: LocalStore, tmp_path: Path, to: Path) -> None:
    with pytest.raises(Refused, match="it is not signed"):
        client.pull(store.uri, to=to, trust=trust(tmp_path))
    assert not (to / "current").exists()
    signature(store, tmp_path)
    pulled = client.pull(store.uri, to=to, trust=trust(tmp_path))
    assert (pulled.folder / layout.SIGNATURE).is_file()
    assert not client.pull(store.uri, to=to, trust=trust(tmp_path)).changed
    with pytest.raises(Refused, match="the release is signed by key"):
        client.pull(store.uri, to=to, trust=trust(tmp_path, SigningKey.read(pem_of(private_key()), where="")))


def test_what_was_pulled_without_trust_is_verified_with_it(store: LocalStore, tmp_path: Path, to: Path) -> None:
    client.pull(store.uri, to=to)
    with pytest.raises(Refused, match="it is not signed"):
        client.pull(store.uri, to=to, trust=trust(tmp_path))
    signature(store, tmp_path)
    assert not client.pull(store.uri, to=to, trust=trust(tmp_path)).changed


def test_who_also_recomputes_the_digests_is_found_out(store: LocalStore, tmp_path: Path, to: Path) -> None:
    signature(store, tmp_path)
    evil = b"cos\nsystem\n(S'touch pwned'\ntR."
    folder = store.root / "v1.0.0"
    (folder / "best_model.pkl").write_bytes(evil)
    manifest = Manifest.read((folder / layout.MANIFEST).read_bytes(), where="")
    files = [
        each.model_copy(update={"size": len(evil), "sha256": sha256_of(evil)})
        if each.path == "best_model.pkl"
        else each
        for each in manifest.files
    ]
    body = manifest.model_copy(update={"files": files}).to_bytes()
    (folder / layout.MANIFEST).write_bytes(body)
    pointer = json.loads((store.root / "latest.json").read_bytes())
    (store.root / "latest.json").write_text(json.dumps({**pointer, "metadata_sha256": sha256_of(body)}))
    done = subprocess.run(
        [sys.executable, "-m", "model_release", "pull", store.uri, "--to", to, "--trust", trust(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Corrupt.exit_code
    assert "changed since it was signed: best_model.pkl, metadata.json" in done.stderr
    assert not (to / "current").exists()
    assert client.pull(store.uri, to=to).changed, "without a key nobody could tell"
    assert Promised.read(body, where="", version=FIRST).sha256 == sha256_of(body)
