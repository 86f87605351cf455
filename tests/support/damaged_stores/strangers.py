"""What no manifest names, and what each object by itself does not show."""

from __future__ import annotations

from datetime import timedelta

from model_release.documents import layout
from model_release.documents.manifest import Claim
from model_release.documents.pointer import Hold
from model_release.releases.doctor.findings import Damage
from support.damaged_stores.cases import Expected, damage, redate, told
from support.damaged_stores.scene import AGED, EPOCH, LIVE, OLD, POINTER, V110, V120, V140, Scene


@damage()
def file_of_no_manifest(scene: Scene) -> Expected:
    scene.put(f"{LIVE}/notes.txt", b"for whom?")
    return told(Damage.FILE_EXTRA, scene.home, f"{LIVE}/notes.txt")


@damage()
def second_model_below_a_version_at_a_follower(scene: Scene) -> list[Expected]:
    for path in ("old/best_model.pkl", "best_model.pkl.bak"):
        scene.put(f"{V110}/{path}", b"another model", scene.follower)
    return [
        told(Damage.FILE_EXTRA, scene.follower, f"{V110}/{path}")
        for path in ("old/best_model.pkl", "best_model.pkl.bak")
    ]


@damage()
def file_of_no_manifest_in_a_quarantined_version(scene: Scene) -> Expected:
    scene.put(f"{V120}/METADATA.json", b"{}")
    return told(Damage.FILE_EXTRA, scene.home, f"{V120}/METADATA.json")


@damage()
def foreign_names_beside_versions(scene: Scene) -> list[Expected]:
    for key in ("v1.3.0.bak/best_model.pkl", "v1.3.0.bak/metadata.json", "README.md", "V1.3.0/best_model.pkl"):
        scene.put(key, b"by hand")
    return [told(Damage.FOREIGN, scene.home, key) for key in ("v1.3.0.bak/", "README.md", "V1.3.0/best_model.pkl")]


@damage()
def foreign_names_in_the_log_and_among_verdicts(scene: Scene) -> list[Expected]:
    for key in ("log/8.json", "decisions/notes.txt"):
        scene.put(key, b"by hand", scene.follower, scene.home)
    return [told(Damage.FOREIGN, store, key) for store in scene.stores for key in ("log/8.json", "decisions/notes.txt")]


@damage()
def object_with_the_name_of_a_folder(scene: Scene) -> list[Expected]:
    for key in (f"{V140}", "log", "v1.3.0/"):
        scene.put(key, b"")
    return [told(Damage.FOREIGN, scene.home, key) for key in (f"{V140}", "log")]


@damage()
def hold_of_long_ago(scene: Scene) -> Expected:
    scene.rewrite(holds=[Hold(by="ada", reason="holidays", at=OLD, operation="hold"), *scene.pointer().holds])
    return told(Damage.LONG_HOLD, scene.home, POINTER)


@damage()
def log_whose_times_go_back(scene: Scene) -> list[Expected]:
    for epoch in (3, 4):
        redate(scene, epoch, -AGED)
    return [told(Damage.TIME_DIFFERS, scene.home, layout.log_entry(epoch)) for epoch in (3, 4)]


@damage()
def log_from_the_future(scene: Scene) -> Expected:
    redate(scene, 5, timedelta(days=400))
    return told(Damage.TIME_DIFFERS, scene.home, layout.log_entry(5))


@damage()
def pointer_from_the_future(scene: Scene) -> Expected:
    change = scene.pointer().change
    scene.rewrite(change=change.model_copy(update={"at": change.at + AGED}))
    return told(Damage.TIME_DIFFERS, scene.home, layout.log_entry(EPOCH))


@damage()
def version_of_another_model(scene: Scene) -> Expected:
    manifest = scene.manifest(V140).model_copy(update={"model_name": "wine-quality"})
    claim = Claim.read(scene.body(layout.claim(V140)), where="").model_copy(update={"metadata": manifest})
    scene.put(layout.claim(V140), claim.to_bytes(), *scene.stores)
    scene.put(layout.manifest(V140), manifest.to_bytes(), *scene.stores)
    return told(Damage.ANOTHER_MODEL, scene.home, layout.manifest(V140))
