"""Damage to the files of versions and to the copies of the live one."""

from __future__ import annotations

from datetime import timedelta

from model_release.documents import layout
from model_release.documents.version import FIRST
from model_release.releases.doctor.findings import Damage
from support.damaged_stores.cases import Expected, damage, flipped, mended, redate, told
from support.damaged_stores.scene import AGED, EPOCH, LIVE, MODEL, V110, V120, V140, Scene


@damage()
def live_file_missing(scene: Scene) -> Expected:
    scene.drop(f"{LIVE}/{MODEL}")
    return mended(Damage.FILE_MISSING, scene.home, f"{LIVE}/{MODEL}")


@damage()
def live_file_cut_short(scene: Scene) -> Expected:
    scene.put(f"{LIVE}/{MODEL}", scene.body(f"{LIVE}/{MODEL}")[:-1])
    return mended(Damage.FILE_WRONG, scene.home, f"{LIVE}/{MODEL}")


@damage(deep=True)
def live_file_rotten(scene: Scene) -> Expected:
    scene.put(f"{LIVE}/{MODEL}", flipped(scene.body(f"{LIVE}/{MODEL}")))
    return mended(Damage.FILE_WRONG, scene.home, f"{LIVE}/{MODEL}")


@damage()
def live_file_only_in_latest(scene: Scene) -> list[Expected]:
    scene.drop(f"{LIVE}/{MODEL}", *scene.stores)
    scene.put(f"latest/{MODEL}", flipped(scene.body(f"latest/{MODEL}")), scene.follower)
    return [mended(Damage.FILE_MISSING, store, f"{LIVE}/{MODEL}") for store in scene.stores]


@damage(apart=("staging/",))
def live_file_only_in_staging(scene: Scene) -> list[Expected]:
    body = scene.body(f"{LIVE}/{MODEL}")
    scene.put(layout.staged("run", scene.manifest(LIVE).file(MODEL).sha256), body, age=timedelta())
    for folder in (LIVE, "latest"):
        scene.drop(f"{folder}/{MODEL}", *scene.stores)
    return [mended(Damage.FILE_MISSING, store, f"{LIVE}/{MODEL}") for store in scene.stores]


@damage(choices=True)
def live_file_lost(scene: Scene) -> list[Expected]:
    for folder in (LIVE, "latest"):
        scene.drop(f"{folder}/{MODEL}", *scene.stores)
    return [told(Damage.FILE_MISSING, store, f"{LIVE}/{MODEL}") for store in scene.stores]


@damage(deep=True, choices=True)
def live_file_rotten_everywhere(scene: Scene) -> list[Expected]:
    for folder in (LIVE, "latest"):
        scene.put(f"{folder}/{MODEL}", flipped(scene.body(f"{folder}/{MODEL}")), *scene.stores)
    return [told(Damage.FILE_WRONG, store, f"{LIVE}/{MODEL}") for store in scene.stores]


@damage()
def file_that_another_version_has_too(scene: Scene) -> list[Expected]:
    scene.drop(f"{V140}/{MODEL}", *scene.stores)
    return [mended(Damage.FILE_MISSING, store, f"{V140}/{MODEL}") for store in scene.stores]


@damage(deep=True)
def file_of_a_quarantined_version_rotten(scene: Scene) -> Expected:
    scene.put(f"{V120}/{MODEL}", flipped(scene.body(f"{V120}/{MODEL}")))
    return mended(Damage.FILE_WRONG, scene.home, f"{V120}/{MODEL}")


@damage()
def file_missing_at_a_follower(scene: Scene) -> Expected:
    scene.drop(f"{V110}/{MODEL}", scene.follower)
    return mended(Damage.FILE_MISSING, scene.follower, f"{V110}/{MODEL}")


@damage()
def version_missing_at_a_follower(scene: Scene) -> Expected:
    scene.drop(f"{V140}/", scene.follower)
    return mended(Damage.VERSION_MISSING, scene.follower, f"{V140}/")


@damage()
def version_missing_at_home(scene: Scene) -> Expected:
    scene.drop(f"{V110}/")
    return mended(Damage.VERSION_MISSING, scene.home, f"{V110}/")


@damage()
def version_that_home_knows_nothing_of(scene: Scene) -> Expected:
    scene.drop(f"{V140}/")
    return told(Damage.VERSION_MISSING, scene.home, f"{V140}/")


@damage()
def retired_files_left(scene: Scene) -> Expected:
    for epoch in range(1, EPOCH):
        redate(scene, epoch, -AGED)
    scene.put(f"{FIRST}/{MODEL}", b"left")
    return told(Damage.RETIRED_FILES, scene.home, f"{FIRST}/")


@damage()
def copy_missing(scene: Scene) -> Expected:
    scene.drop("latest/metadata.json")
    return mended(Damage.COPY_MISSING, scene.home, "latest/metadata.json")


@damage()
def copies_missing_at_a_follower(scene: Scene) -> list[Expected]:
    names = [key for key in scene.follower._objects if key.startswith("latest/")]
    scene.drop("latest/", scene.follower)
    return [mended(Damage.COPY_MISSING, scene.follower, key) for key in names]


@damage(deep=True)
def copy_rotten(scene: Scene) -> Expected:
    scene.put(f"latest/{MODEL}", flipped(scene.body(f"latest/{MODEL}")))
    return mended(Damage.COPY_WRONG, scene.home, f"latest/{MODEL}")


@damage()
def copies_of_an_older_version(scene: Scene) -> list[Expected]:
    for path in (MODEL, "metadata.json"):
        scene.put(f"latest/{path}", scene.body(f"{V110}/{path}"))
    return [mended(Damage.COPY_WRONG, scene.home, f"latest/{path}") for path in (MODEL, "metadata.json")]


@damage()
def copy_of_nothing(scene: Scene) -> Expected:
    scene.put("latest/left_over.bin", b"of an older version", scene.follower)
    return mended(Damage.COPY_EXTRA, scene.follower, "latest/left_over.bin")
