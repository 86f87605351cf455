"""Signed releases from the night to the reader: one signature everywhere, whoever is killed, and altered by nobody."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from model_release import cli, signing
from model_release.documents import layout
from model_release.documents.base import sha256_of
from model_release.documents.manifest import Claim
from model_release.documents.version import FIRST, Bump
from model_release.errors import Corrupt, UsageError
from model_release.releases.catalog import published, read_pointer
from model_release.releases.claims import abandon
from model_release.releases.doctor.findings import Damage
from model_release.releases.prune import remove_files
from model_release.releases.publish import place
from model_release.releases.store import Follower, ReleaseStore
from model_release.releases.verify import check
from model_release.signing import SigningKey
from model_release.stores.base import Store
from model_release.stores.local import LocalStore
from model_release.workflows.checkup import checkup
from model_release.workflows.destinations import Destinations
from support.interposed_store import Interposed
from support.memory_store import MemoryStore
from support.quick_specs import quick_spec
from support.release_builder import Chain, Made, assert_readable, assert_settled, make
from support.retrain_steps import Nights, judged, through
from support.schedule_player import Killed, dying_after
from support.signing_keys import certificate, pem_of, private_key

pytestmark = pytest.mark.usefixtures("at_once")

PEM = pem_of(private_key())
KEY = SigningKey.read(PEM, where="the test")
SIGNATURE = layout.signature(FIRST)
V110 = FIRST.next(Bump.MINOR)


@pytest.fixture
def stores() -> tuple[MemoryStore, MemoryStore]:
    """Home and a follower, under one name."""
    return MemoryStore("memory://home/heart-models"), MemoryStore("memory://follower/heart-models")


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    """What a consumer has been given."""
    path = tmp_path / "trust.pem"
    path.write_bytes(KEY.trust)
    return path


def body(store: Store, key: str) -> bytes:
    stored = store.get(key)
    assert stored is not None, key
    return stored.body


def overwrite(store: Store, key: str, new: bytes) -> None:
    stored = store.get(key)
    assert stored is not None, key
    store.replace(key, new, stored.token)


def faults(store: Store, trust: Path, **more: Any) -> dict[str, str]:
    return {each.key: each.fault for each in check(store, trust=trust, **more) if each.fault}


def test_one_signature_everywhere(stores: tuple[MemoryStore, MemoryStore], tmp_path: Path, trust: Path) -> None:
    home, follower = stores
    Chain(home, [follower], KEY).release(make(tmp_path, "night"))
    assert body(home, SIGNATURE) == body(follower, SIGNATURE)
    for store in stores:
        assert_settled(store)
        assert faults(store, trust) == {}
        assert SIGNATURE in {each.key for each in check(store, trust=trust)}
        assert SIGNATURE not in {each.key for each in check(store)}, "without a key there is nobody to trust"
    Chain(home, [follower]).release(make(tmp_path, "unsigned", since=1), since=1)
    assert faults(home, trust) == {layout.signature(V110): "the release has no model.sig: it is not signed"}
    assert [*faults(home, trust, every=True)] == [layout.signature(V110)]
    trust.write_bytes(SigningKey.read(pem_of(private_key()), where="the test").trust)
    assert "signed by key" in faults(home, trust, version=FIRST)[SIGNATURE]


def test_a_follower_that_comes_later_gets_the_signature_without_a_key(
    stores: tuple[MemoryStore, MemoryStore], tmp_path: Path
) -> None:
    home, follower = stores
    made = make(tmp_path, "night")
    Chain(home, key=KEY).release(made)
    place(ReleaseStore(home), Chain(home).claim(made), follower)
    assert body(home, SIGNATURE) == body(follower, SIGNATURE)


def altered(store: Store) -> None:
    """Swap the model, and make every digest right: what somebody can do who may write into the bucket."""
    manifest = published(store, FIRST)
    evil = b"a model that says everybody is healthy"
    overwrite(store, "v1.0.0/best_model.pkl", evil)
    files = [
        each.model_copy(update={"size": len(evil), "sha256": sha256_of(evil)})
        if each.path == "best_model.pkl"
        else each
        for each in manifest.files
    ]
    forged = manifest.model_copy(update={"files": files, "accuracy": 0.99})
    overwrite(store, layout.manifest(FIRST), forged.to_bytes())
    claim = Claim.read(body(store, layout.claim(FIRST)), where="here")
    overwrite(store, layout.claim(FIRST), claim.model_copy(update={"metadata": forged}).to_bytes())
    live = read_pointer(store)
    assert live is not None
    pointer = live.pointer.model_copy(update={"metadata_sha256": forged.sha256()}).to_bytes()
    overwrite(store, layout.POINTER, pointer)
    overwrite(store, layout.log_entry(1), pointer)
    for path, new in (("best_model.pkl", evil), (layout.MANIFEST, forged.to_bytes())):
        overwrite(store, layout.latest_copy(path), new)


def test_who_recomputes_every_digest_is_found_out(
    stores: tuple[MemoryStore, MemoryStore], tmp_path: Path, trust: Path
) -> None:
    home, _ = stores
    Chain(home, key=KEY).release(make(tmp_path, "night"))
    altered(home)
    assert [each for each in check(home) if each.fault] == [], "digests alone do not tell"
    assert faults(home, trust) == {SIGNATURE: "changed since it was signed: best_model.pkl, metadata.json"}
    found = checkup(Destinations(home), read_data=True).found
    assert [(each.kind, each.where) for each in found] == [(Damage.SIGNATURE_WRONG, f"{home.uri}/{SIGNATURE}")]


def test_killed_before_every_request(stores: tuple[MemoryStore, MemoryStore], tmp_path: Path, trust: Path) -> None:
    """Run again, by the same run or by another one, it ends as if nothing had happened, with one signature."""
    made = [make(tmp_path, "now"), make(tmp_path, "now", run="the next night")]
    begin = [dict(store._objects) for store in stores]

    def run(made: Made, between: Any) -> None:
        home, *others = (Interposed(store, between) for store in stores)
        Chain(home, others, KEY).persist(made, tries=6)

    for moment in range(1000):
        for store, objects in zip(stores, begin, strict=True):
            store._objects = dict(objects)
        try:
            run(made[0], dying_after(moment))
        except Killed:
            for store in stores:
                assert_readable(store)
                if store.get(layout.manifest(FIRST)) is not None:
                    assert store.get(SIGNATURE) is not None, "a version is never there without its signature"
            run(made[moment % 2], lambda request: request.perform())
            done = False
        else:
            done = True
        assert body(stores[0], SIGNATURE) == body(stores[1], SIGNATURE)
        for store in stores:
            assert_settled(store)
        if done or moment % 10 == 0:
            assert faults(stores[1], trust) == {}
        if done:
            return
    raise AssertionError("it never ends")


def test_two_uploads_at_once_agree(
    stores: tuple[MemoryStore, MemoryStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Destinations are served by tasks of their own; whichever signs first decides."""
    home, follower = stores
    claim = Chain(home).claim(make(tmp_path, "night"))
    create = home.create

    def overtaken(key: str, new: bytes, **more: Any) -> Any:
        if key == SIGNATURE and home.get(key) is None:
            monkeypatch.setattr(home, "create", create)
            place(ReleaseStore(home), claim, follower, key=KEY)
        return create(key, new, **more)

    monkeypatch.setattr(home, "create", overtaken)
    place(ReleaseStore(home), claim, home, key=KEY)
    assert body(home, SIGNATURE) == body(follower, SIGNATURE)


def test_a_signature_by_somebody_else_is_not_replaced(stores: tuple[MemoryStore, MemoryStore], tmp_path: Path) -> None:
    home, _ = stores
    claim = Chain(home).claim(make(tmp_path, "night"))
    other = SigningKey.read(pem_of(private_key()), where="the test")
    place(ReleaseStore(home), claim, home, key=other)
    with pytest.raises(Corrupt, match="signed by key .*\n.*if the key is a new one") as error:
        place(ReleaseStore(home), claim, home, key=KEY)
    assert error.value.where == f"{home.uri}/{SIGNATURE}"
    home.delete(SIGNATURE)
    place(ReleaseStore(home), claim, home, key=KEY)


def unsigned(*stores: MemoryStore) -> list[str]:
    done = checkup(Destinations(stores[0], [Follower(each) for each in stores[1:]]), repair=True)
    return [each.where for each in done.wrong if each.kind is Damage.SIGNATURE_MISSING]


def history(stores: tuple[MemoryStore, MemoryStore], tmp_path: Path, keys: list[SigningKey | None]) -> None:
    """Release a version with each key; None signs nothing."""
    for number, key in enumerate(keys):
        since = number or None
        Chain(stores[0], stores[1:], key).release(make(tmp_path, f"night {number}", since=since), since=since)


@pytest.mark.parametrize("lost", ["v1.1.0", "v1.2.0"])
def test_a_signature_that_is_removed_everywhere_from_a_signed_history_is_missed(
    stores: tuple[MemoryStore, MemoryStore], tmp_path: Path, lost: str
) -> None:
    history(stores, tmp_path, [KEY, KEY, KEY])
    assert unsigned(*stores) == []
    for store in stores:
        store.delete(f"{lost}/model.sig")
    assert unsigned(*stores) == [f"{stores[0].uri}/{lost}/model.sig"]


def test_versions_from_before_signing_began_need_no_signature(
    stores: tuple[MemoryStore, MemoryStore], tmp_path: Path
) -> None:
    history(stores, tmp_path, [None, None, KEY])
    assert unsigned(*stores) == []


@pytest.mark.parametrize("signing_of_spec", [None, {"connection": "release_key"}])
def test_the_recorded_spec_says_whether_a_version_is_signed(
    stores: tuple[MemoryStore, MemoryStore], tmp_path: Path, signing_of_spec: dict[str, Any] | None
) -> None:
    history(stores, tmp_path, [KEY])
    made = make(tmp_path, "by spec", since=1)
    draft = made.draft.model_copy(update={"spec": {"signing": signing_of_spec}})
    Chain(stores[0], stores[1:]).release(Made(made.folder, draft, made.run), since=1)
    assert unsigned(*stores) == ([f"{stores[0].uri}/v1.1.0/model.sig"] if signing_of_spec else [])


def test_housekeeping_knows_the_signature(stores: tuple[MemoryStore, MemoryStore], tmp_path: Path) -> None:
    home, follower = stores
    chain = Chain(home, [follower], KEY)
    chain.release(make(tmp_path, "night"))
    destinations = Destinations(home, [Follower(follower)])
    assert checkup(destinations, read_data=True).found == []
    right = body(home, SIGNATURE)
    place_of = {store: f"{store.uri}/{SIGNATURE}" for store in stores}

    follower.delete(SIGNATURE)
    done = checkup(destinations, repair=True)
    assert [(each.kind, each.where) for each in done.mended] == [(Damage.SIGNATURE_MISSING, place_of[follower])]
    overwrite(home, SIGNATURE, b"{}")
    done = checkup(destinations, repair=True)
    assert [(each.kind, each.where) for each in done.mended] == [(Damage.SIGNATURE_WRONG, place_of[home])]
    for key in [each.key for each in follower.list(f"{FIRST}/")]:
        follower.delete(key)
    assert checkup(destinations, repair=True).left == []
    assert {body(store, SIGNATURE) for store in stores} == {right}

    folder = tmp_path / "heart-models"
    folder.mkdir()
    manifest = published(home, FIRST)
    for entry in manifest.files:
        home.download(layout.artifact(FIRST, entry.path), folder / entry.path)
    (folder / layout.MANIFEST).write_bytes(manifest.to_bytes())
    overwrite(home, SIGNATURE, signing.sign(folder, SigningKey.read(pem_of(private_key()), where="the test")))
    left = checkup(destinations, repair=True).left
    assert [(each.kind, each.where) for each in left] == [
        (Damage.SIGNATURE_WRONG, place_of[home]),
        (Damage.SIGNATURE_WRONG, place_of[follower]),
    ], "whose signature is right, nobody can say without a key"

    claim = chain.claim(make(tmp_path, "died", since=1))
    place(ReleaseStore(home), claim, home, key=KEY)
    assert abandon(ReleaseStore(home), V110, by="housekeeping", reason="stale")
    remove_files(home, V110)
    assert {each.key for each in home.list(f"{V110}/")} == {layout.claim(V110), layout.manifest(V110)}


SIGNED = {"signing": {"connection": "model_signing"}}


def test_a_night_signs(
    night: Nights, trust: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing that a night says, hands on or stores holds the key."""
    with pytest.raises(UsageError, match=f"set {signing.KEY_FILE}"):
        night(1, spec=SIGNED).reconcile()
    path = tmp_path / "key.pem"
    path.write_bytes(pem_of(private_key(), passphrase="open sesame"))
    monkeypatch.setenv(signing.KEY_FILE, str(path))
    with pytest.raises(UsageError, match="an encrypted one needs its passphrase"):
        night(1, spec=SIGNED).reconcile()
    path.write_bytes(PEM)
    caplog.set_level(logging.DEBUG)
    one = night(1, spec=SIGNED)
    one.reconcile()
    verdict, orders = judged(one)
    uploaded = [night(1, spec=SIGNED).upload(each) for each in orders]
    again = [night(1, spec=SIGNED).upload(each) for each in orders]
    done = one.update_latest(again)
    assert str(done.live) == "v1.0.0"
    assert faults(one.home, trust) == {}
    said = caplog.text + json.dumps([each.to_json() for each in (verdict, *orders, *uploaded, *again, done)])
    assert KEY.trust.decode() in said
    stored = b"".join(each.read_bytes() for each in (tmp_path / "store").rglob("*") if each.is_file())
    for secret in (*PEM.splitlines()[1:-1], *KEY.private.splitlines()[1:-1]):
        assert secret.decode() not in said
        assert secret not in stored


def test_a_key_is_no_news_to_the_gate(night: Nights) -> None:
    through(night(1))
    one = night(2, spec=SIGNED)
    assert one.ingest()[1] == []


def command(*arguments: str | Path, **environment: str) -> Any:
    return CliRunner(env={"COLUMNS": "100", **environment}).invoke(cli.app, [*map(str, arguments)])


def test_a_hand_made_release_is_signed_and_verified(tmp_path: Path, store: LocalStore, trust: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("best_model.pkl", "preprocessor.pkl"):
        (models / name).write_text(name)
    leaf, root = private_key(), private_key()
    top = certificate("root", root, authority=True)
    (tmp_path / "chain.pem").write_bytes(certificate("leaf", leaf, issuer="root", by=root) + top)
    (tmp_path / "key.pem").write_bytes(pem_of(leaf, passphrase="open sesame"))
    environment = {
        signing.KEY_FILE: str(tmp_path / "key.pem"),
        signing.PASSPHRASE: "open sesame",
        signing.CERTIFICATES_FILE: str(tmp_path / "chain.pem"),
    }
    other = LocalStore(tmp_path / "elsewhere" / "another-name")
    refused = command("publish", models, store.uri, "--unopened", "--also", other.uri, **environment)
    assert (refused.exit_code, "a signature holds for one name" in refused.stderr) == (2, True)
    assert command("publish", models, store.uri, "--unopened", **environment).exit_code == 0
    trust.write_bytes(top)
    good = command("verify", store.uri, "--trust", trust, "--json", "-q")
    assert (good.exit_code, json.loads(good.stdout)["verified"]) == (0, True)
    trust.write_bytes(KEY.trust)
    bad = command("verify", store.uri, "--trust", trust)
    assert (bad.exit_code, "signed with a certificate" in bad.stdout) == (5, True)
    (models / layout.SIGNATURE).write_text("{}")
    again = command("publish", models, store.uri, "--unopened", **environment)
    assert (again.exit_code, "holds model.sig" in again.stderr) == (3, True)


def test_a_spec_that_wants_signatures_is_not_published_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_RELEASE_STORE", (tmp_path / "store").as_uri())
    spec = quick_spec(tmp_path, "heart_disease", tracking=None, **SIGNED)
    (tmp_path / "models").mkdir()
    refused = command("publish", tmp_path / "models", spec, "--unopened")
    assert (refused.exit_code, "are signed, by the key of Airflow's connection" in refused.stderr) == (2, True)
    assert not (tmp_path / "store").exists()


def test_the_manifest_is_what_its_signature_says(stores: tuple[MemoryStore, MemoryStore], tmp_path: Path) -> None:
    """Metrics in a metadata.json that was not published are refused, as is another version's signature."""
    home, _ = stores
    chain = Chain(home, key=KEY)
    chain.release(make(tmp_path, "one"))
    chain.release(make(tmp_path, "two", since=1), since=1)
    one, two = published(home, FIRST), published(home, V110)
    assert signing.fits(body(home, SIGNATURE), one)
    assert not signing.fits(body(home, SIGNATURE), two)
    assert not signing.fits(body(home, SIGNATURE), one.model_copy(update={"accuracy": 0.99}))
    assert not signing.fits(b"", one)
