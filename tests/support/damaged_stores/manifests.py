"""Damage to manifests and claims."""

from __future__ import annotations

from model_release.documents import layout
from model_release.documents.manifest import Claim
from model_release.documents.version import FIRST
from model_release.releases.doctor.findings import Damage
from support.damaged_stores.cases import Expected, damage, given_up, mended, told
from support.damaged_stores.scene import LIVE, V110, V120, V140, Scene


@damage()
def live_manifest_missing(scene: Scene) -> Expected:
    scene.drop(layout.manifest(LIVE))
    return mended(Damage.MANIFEST_MISSING, scene.home, layout.manifest(LIVE))


@damage()
def live_manifest_changed(scene: Scene) -> Expected:
    scene.put(layout.manifest(LIVE), scene.manifest(LIVE).model_copy(update={"accuracy": 0.99}).to_bytes())
    return mended(Damage.MANIFEST_WRONG, scene.home, layout.manifest(LIVE))


@damage()
def live_manifest_only_in_latest(scene: Scene) -> list[Expected]:
    scene.drop(f"{LIVE}/metadata.json", *scene.stores)
    scene.drop(f"{LIVE}/claim.json", *scene.stores)
    return [
        each
        for store in scene.stores
        for each in (
            mended(Damage.MANIFEST_MISSING, store, f"{LIVE}/metadata.json"),
            told(Damage.CLAIM_MISSING, store, f"{LIVE}/claim.json"),
        )
    ]


@damage(choices=True)
def live_manifest_lost(scene: Scene) -> Expected:
    for key in (f"{LIVE}/metadata.json", f"{LIVE}/claim.json", "latest/metadata.json"):
        scene.drop(key, *scene.stores)
    return told(Damage.MANIFEST_MISSING, scene.home, f"{LIVE}/metadata.json")


@damage(choices=True)
def live_version_given_up(scene: Scene) -> Expected:
    scene.put(layout.manifest(LIVE), given_up(LIVE))
    return told(Damage.RELEASE_GIVEN_UP, scene.home, layout.manifest(LIVE))


@damage()
def older_manifest_unreadable(scene: Scene) -> Expected:
    scene.put(layout.manifest(V110), b"\x00" * 100)
    return mended(Damage.MANIFEST_WRONG, scene.home, layout.manifest(V110))


@damage()
def manifest_of_another_version(scene: Scene) -> Expected:
    scene.put(layout.manifest(V120), scene.body(layout.manifest(V110)))
    return mended(Damage.MANIFEST_WRONG, scene.home, layout.manifest(V120))


@damage()
def retired_manifest_missing(scene: Scene) -> Expected:
    scene.drop(layout.manifest(FIRST))
    return mended(Damage.MANIFEST_MISSING, scene.home, layout.manifest(FIRST))


@damage()
def manifest_that_nothing_vouches_for_unreadable(scene: Scene) -> Expected:
    scene.put(layout.manifest(V140), b"{")
    return told(Damage.MANIFEST_WRONG, scene.home, layout.manifest(V140))


@damage()
def manifest_and_claim_differ(scene: Scene) -> Expected:
    scene.put(layout.manifest(V140), scene.manifest(V140).model_copy(update={"accuracy": 0.99}).to_bytes())
    return told(Damage.MANIFEST_WRONG, scene.home, layout.manifest(V140))


@damage()
def manifest_missing_at_a_follower(scene: Scene) -> Expected:
    scene.drop(layout.manifest(V140), scene.follower)
    return mended(Damage.MANIFEST_MISSING, scene.follower, layout.manifest(V140))


@damage()
def manifest_of_a_follower_changed(scene: Scene) -> Expected:
    body = scene.manifest(V140).model_copy(update={"accuracy": 0.99}).to_bytes()
    scene.put(layout.manifest(V140), body, scene.follower)
    return mended(Damage.MANIFEST_WRONG, scene.follower, layout.manifest(V140))


@damage()
def follower_gives_up_what_home_published(scene: Scene) -> Expected:
    scene.put(layout.manifest(V140), given_up(V140), scene.follower)
    return mended(Damage.MANIFEST_WRONG, scene.follower, layout.manifest(V140))


@damage()
def manifest_of_a_newer_format(scene: Scene) -> Expected:
    scene.put(layout.manifest(V140), scene.body(layout.manifest(V140)).replace(b'"format": 2', b'"format": 3'))
    return told(Damage.UNREADABLE, scene.home, layout.manifest(V140))


@damage()
def claim_missing(scene: Scene) -> Expected:
    scene.drop(layout.claim(V110))
    return mended(Damage.CLAIM_MISSING, scene.home, layout.claim(V110))


@damage()
def claim_missing_everywhere(scene: Scene) -> list[Expected]:
    scene.drop(layout.claim(V110), *scene.stores)
    return [told(Damage.CLAIM_MISSING, store, layout.claim(V110)) for store in scene.stores]


@damage()
def claim_unreadable(scene: Scene) -> Expected:
    scene.put(layout.claim(V140), b"[]")
    return mended(Damage.CLAIM_WRONG, scene.home, layout.claim(V140))


@damage()
def claim_of_another_run_at_a_follower(scene: Scene) -> Expected:
    claim = Claim.read(scene.body(layout.claim(V140)), where="").model_copy(update={"run": "another"})
    scene.put(layout.claim(V140), claim.to_bytes(), scene.follower)
    return mended(Damage.CLAIM_WRONG, scene.follower, layout.claim(V140))
