"""What runs that died have left, and damage to verdicts."""

from __future__ import annotations

from model_release.documents import layout
from model_release.documents.manifest import Claim
from model_release.documents.version import Version
from model_release.releases.claims import Became
from model_release.releases.doctor.findings import Damage
from support.damaged_stores.cases import Expected, damage, mended, told
from support.damaged_stores.scene import MODEL, V110, V140, V150, V160, Scene, verdict
from support.release_builder import fingerprint_of


@damage(apart=("v1.6.0/", "staging/"))
def claim_that_nobody_came_back_for(scene: Scene) -> list[Expected]:
    for key in [key for key in scene.home._objects if key.startswith((f"{V160}/", "staging/"))]:
        scene.put(key, scene.body(key))
    staging = next(key for key in scene.home._objects if key.startswith("staging/")).rpartition("/")[0]
    return [
        mended(Damage.LITTER, scene.home, f"{V160}/"),
        mended(Damage.LITTER, scene.home, f"{staging}/"),
    ]


@damage(apart=("v1.9.0/",))
def files_without_a_claim(scene: Scene) -> Expected:
    scene.put(f"v1.9.0/{MODEL}", b"whose?")
    return mended(Damage.LITTER, scene.home, "v1.9.0/")


@damage()
def old_staging(scene: Scene) -> Expected:
    scene.put(layout.staged("run-of-old", "0" * 64), b"made by a run that died", scene.follower)
    return mended(Damage.LITTER, scene.follower, "staging/run-of-old/")


@damage()
def files_of_a_number_that_was_given_up(scene: Scene) -> Expected:
    scene.put(f"{V150}/{MODEL}", b"left")
    return mended(Damage.LITTER, scene.home, f"{V150}/")


@damage(apart=("v1.5.0/",))
def follower_has_published_what_home_gave_up(scene: Scene) -> Expected:
    claim = Claim.read(scene.body(layout.claim(V150)), where="")
    scene.put(layout.claim(V150), claim.to_bytes(), scene.follower)
    scene.put(f"{V150}/{MODEL}", b"left", scene.follower)
    scene.put(layout.manifest(V150), claim.metadata.to_bytes(), scene.follower)
    return mended(Damage.LITTER, scene.follower, f"{V150}/")


@damage()
def verdict_unreadable(scene: Scene) -> Expected:
    scene.put(verdict("d").key, b"{}")
    return told(Damage.VERDICT_UNREADABLE, scene.home, verdict("d").key)


@damage()
def verdict_under_a_wrong_name(scene: Scene) -> Expected:
    key = layout.decision(fingerprint_of("e"), 4, "run-d")
    scene.put(key, verdict("d").to_bytes())
    return told(Damage.VERDICT_MISPLACED, scene.home, key)


@damage()
def version_record_missing(scene: Scene) -> Expected:
    key = layout.version_of(fingerprint_of("e"))
    scene.drop(key)
    return mended(Damage.RECORD_MISSING, scene.home, key)


@damage()
def version_record_unreadable(scene: Scene) -> Expected:
    key = layout.version_of(fingerprint_of("e"))
    scene.put(key, b"v1.4.0")
    return told(Damage.RECORD_WRONG, scene.home, key)


@damage()
def version_record_of_no_version(scene: Scene) -> Expected:
    key = layout.version_of(fingerprint_of("e"))
    scene.put(key, Became(version=Version(9, 0, 0)).to_bytes())
    return told(Damage.RECORD_WRONG, scene.home, key)


@damage()
def version_record_of_another_fingerprint(scene: Scene) -> Expected:
    key = layout.version_of(fingerprint_of("e"))
    scene.put(key, Became(version=V110).to_bytes())
    return told(Damage.RECORD_WRONG, scene.home, key)


@damage()
def one_fingerprint_released_twice(scene: Scene) -> Expected:
    version = Version(1, 7, 0)
    manifest = scene.manifest(V140).model_copy(update={"version": version})
    claim = Claim(run="another", metadata=manifest)
    for entry in manifest.files:
        scene.put(f"{version}/{entry.path}", scene.body(f"{V140}/{entry.path}"), *scene.stores)
    scene.put(layout.claim(version), claim.to_bytes(), *scene.stores)
    scene.put(layout.manifest(version), manifest.to_bytes(), *scene.stores)
    return told(Damage.RELEASED_TWICE, scene.home, layout.version_of(manifest.fingerprint))
