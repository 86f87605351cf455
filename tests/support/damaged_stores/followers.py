"""Damage to the pointer of a follower."""

from __future__ import annotations

from model_release.documents import layout
from model_release.releases.doctor.findings import Damage
from support.damaged_stores.cases import Expected, damage, mended, told
from support.damaged_stores.scene import EPOCH, POINTER, V110, V120, V130, V140, Scene


@damage()
def follower_without_pointer(scene: Scene) -> Expected:
    scene.drop(POINTER, scene.follower)
    return mended(Damage.FOLLOWER_BEHIND, scene.follower, POINTER)


@damage()
def follower_with_an_unreadable_pointer(scene: Scene) -> Expected:
    scene.put(POINTER, b"not a pointer", scene.follower)
    return mended(Damage.FOLLOWER_BEHIND, scene.follower, POINTER)


@damage()
def follower_behind(scene: Scene) -> Expected:
    scene.put(POINTER, scene.body(layout.log_entry(6)), scene.follower)
    return mended(Damage.FOLLOWER_BEHIND, scene.follower, POINTER)


@damage()
def follower_of_a_newer_format(scene: Scene) -> Expected:
    scene.put(POINTER, scene.body(POINTER).replace(b'"format": 1', b'"format": 2'), scene.follower)
    return told(Damage.UNREADABLE, scene.follower, POINTER)


@damage(choices=True)
def follower_ahead(scene: Scene) -> Expected:
    scene.put(POINTER, scene.pointer().model_copy(update={"epoch": EPOCH + 1}).to_bytes(), scene.follower)
    return told(Damage.FORK, scene.follower, POINTER)


@damage(choices=True)
def follower_with_another_pointer_at_the_same_epoch(scene: Scene) -> Expected:
    scene.put(POINTER, scene.pointer().model_copy(update={"write_id": "another"}).to_bytes(), scene.follower)
    return told(Damage.FORK, scene.follower, POINTER)


@damage(choices=True)
def follower_of_another_lineage(scene: Scene) -> Expected:
    scene.put(POINTER, scene.pointer().model_copy(update={"lineage": "0" * 32}).to_bytes(), scene.follower)
    return told(Damage.FORK, scene.follower, POINTER)


@damage(apart=("v1.0.0/",))
def follower_emptied(scene: Scene) -> list[Expected]:
    scene.follower._objects.clear()
    lost = [mended(Damage.VERSION_MISSING, scene.follower, f"{each}/") for each in (V110, V120, V130, V140)]
    return [mended(Damage.FOLLOWER_BEHIND, scene.follower, POINTER), *lost]
