"""Damage to the pointer and to the log, at home."""

from __future__ import annotations

from model_release.documents import layout
from model_release.documents.pointer import Pointer, Quarantine
from model_release.releases.doctor.findings import Damage
from support.damaged_stores.cases import Expected, damage, mended, told
from support.damaged_stores.scene import EPOCH, LIVE, OLD, POINTER, V110, V120, V140, Scene


@damage(choices=True)
def pointer_missing(scene: Scene) -> Expected:
    scene.drop(POINTER)
    return told(Damage.POINTER_MISSING, scene.home, POINTER)


@damage(choices=True)
def everything_at_home_is_gone(scene: Scene) -> list[Expected]:
    scene.home._objects.clear()
    return [
        told(Damage.POINTER_MISSING, scene.home, POINTER),
        *(told(Damage.VERSION_MISSING, scene.home, f"{each}/") for each in (V110, V120, V140)),
        mended(Damage.VERSION_MISSING, scene.home, f"{LIVE}/"),
    ]


@damage(choices=True)
def pointer_unreadable(scene: Scene) -> Expected:
    scene.put(POINTER, scene.body(POINTER)[:-200])
    return told(Damage.POINTER_UNREADABLE, scene.home, POINTER)


@damage()
def pointer_of_a_newer_format(scene: Scene) -> Expected:
    scene.put(POINTER, scene.body(POINTER).replace(b'"format": 1', b'"format": 2'))
    return told(Damage.UNREADABLE, scene.home, POINTER)


@damage(choices=True)
def pointer_with_another_home(scene: Scene) -> Expected:
    scene.rewrite(home="memory://elsewhere")
    return told(Damage.ANOTHER_HOME, scene.home, POINTER)


@damage(choices=True)
def live_version_in_quarantine(scene: Scene) -> Expected:
    entry = Quarantine(by="bo", reason="bad slice", at=OLD)
    scene.rewrite(quarantined={**scene.pointer().quarantined, str(LIVE): entry})
    return told(Damage.BARRED_LIVE, scene.home, POINTER)


@damage()
def log_lacks_the_present_epoch(scene: Scene) -> Expected:
    scene.drop(layout.log_entry(EPOCH))
    return mended(Damage.LOG_MISSING, scene.home, layout.log_entry(EPOCH))


@damage()
def log_of_a_follower_lacks_the_present_epoch(scene: Scene) -> Expected:
    scene.drop(layout.log_entry(EPOCH), scene.follower)
    return mended(Damage.LOG_MISSING, scene.follower, layout.log_entry(EPOCH))


@damage()
def log_of_a_follower_lacks_an_epoch(scene: Scene) -> Expected:
    scene.drop(layout.log_entry(3), scene.follower)
    return mended(Damage.LOG_MISSING, scene.follower, layout.log_entry(3))


@damage()
def log_lacks_an_epoch_that_another_has(scene: Scene) -> Expected:
    scene.drop(layout.log_entry(3))
    return mended(Damage.LOG_MISSING, scene.home, layout.log_entry(3))


@damage()
def log_lacks_an_epoch_everywhere(scene: Scene) -> Expected:
    scene.drop(layout.log_entry(3), *scene.stores)
    return told(Damage.LOG_MISSING, scene.home, layout.log_entry(3))


@damage()
def log_unreadable_at_the_present_epoch(scene: Scene) -> Expected:
    scene.put(layout.log_entry(EPOCH), b"{}")
    return mended(Damage.LOG_UNREADABLE, scene.home, layout.log_entry(EPOCH))


@damage()
def log_unreadable(scene: Scene) -> Expected:
    scene.put(layout.log_entry(2), b"")
    return mended(Damage.LOG_UNREADABLE, scene.home, layout.log_entry(2))


@damage()
def log_under_a_wrong_name(scene: Scene) -> Expected:
    scene.put(layout.log_entry(3), scene.body(layout.log_entry(2)))
    return mended(Damage.LOG_UNREADABLE, scene.home, layout.log_entry(3))


@damage()
def log_of_a_follower_unreadable(scene: Scene) -> Expected:
    scene.put(layout.log_entry(2), b"", scene.follower)
    return mended(Damage.LOG_UNREADABLE, scene.follower, layout.log_entry(2))


@damage(choices=True)
def log_and_pointer_differ(scene: Scene) -> Expected:
    scene.put(layout.log_entry(EPOCH), scene.pointer().model_copy(update={"write_id": "another"}).to_bytes())
    return told(Damage.HISTORY_DIFFERS, scene.home, layout.log_entry(EPOCH))


@damage(choices=True)
def pointer_restored_from_a_backup(scene: Scene) -> list[Expected]:
    scene.put(POINTER, scene.body(layout.log_entry(3)))
    return [
        told(Damage.LOG_AHEAD, scene.home, layout.log_entry(EPOCH)),
        told(Damage.FORK, scene.follower, POINTER),
    ]


@damage()
def log_with_another_lineage(scene: Scene) -> Expected:
    entry = Pointer.read(scene.body(layout.log_entry(3)), where="")
    scene.put(layout.log_entry(3), entry.model_copy(update={"lineage": "0" * 32}).to_bytes())
    return told(Damage.LINEAGE_DIFFERS, scene.home, layout.log_entry(3))


@damage(deep=True)
def log_of_a_follower_differs(scene: Scene) -> Expected:
    body = scene.body(layout.log_entry(3)).replace(b'"reason": "better"', b'"reason": "BETTER"')
    scene.put(layout.log_entry(3), body, scene.follower)
    return told(Damage.HISTORY_DIFFERS, scene.follower, layout.log_entry(3))
