"""What a kind of damage is: what does it, and what doctor must find of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from model_release.documents import layout
from model_release.documents.manifest import Abandoned, AbandonedManifest
from model_release.documents.pointer import Pointer
from model_release.documents.version import Version
from model_release.releases.doctor.findings import Damage
from support.damaged_stores.scene import OLD, Scene
from support.memory_store import MemoryStore


@dataclass(frozen=True)
class Expected:
    """One thing that doctor must find."""

    kind: Damage
    store: MemoryStore
    key: str
    mends: bool

    @property
    def told(self) -> tuple[Damage, str, bool]:
        return self.kind, f"{self.store.uri}/{self.key}", self.mends


Do = Callable[[Scene], "list[Expected] | Expected"]


@dataclass(frozen=True)
class Case:
    """A kind of damage.

    Attributes:
        do: does it, and returns what must be found.
        deep: whether only reading every byte finds it.
        apart: beginnings of keys in which a mended scene differs from one that was never damaged.
        choices: whether a person is offered versions that may become live.
    """

    do: Do
    deep: bool
    apart: tuple[str, ...]
    choices: bool

    def __call__(self, scene: Scene) -> list[Expected]:
        found = self.do(scene)
        return found if isinstance(found, list) else [found]


CASES: dict[str, Case] = {}


def damage(*, deep: bool = False, apart: tuple[str, ...] = (), choices: bool = False) -> Callable[[Do], Do]:
    def kept(do: Do) -> Do:
        CASES[do.__name__] = Case(do, deep, apart, choices)
        return do

    return kept


def mended(kind: Damage, store: MemoryStore, key: str) -> Expected:
    return Expected(kind, store, key, mends=True)


def told(kind: Damage, store: MemoryStore, key: str) -> Expected:
    return Expected(kind, store, key, mends=False)


def flipped(body: bytes) -> bytes:
    """Return bytes of the same length, other bytes."""
    return body.translate(bytes((each + 1) % 256 for each in range(256)))


def redate(scene: Scene, epoch: int, by: timedelta) -> None:
    """Change the time of an entry of the log everywhere, as only a hand can, or a clock that was set."""
    entry = Pointer.read(scene.body(layout.log_entry(epoch)), where="")
    change = entry.change.model_copy(update={"at": entry.change.at + by})
    scene.put(layout.log_entry(epoch), entry.model_copy(update={"change": change}).to_bytes(), *scene.stores)


def given_up(version: Version) -> bytes:
    """Return the note that a number was given up."""
    return AbandonedManifest(version=version, abandoned=Abandoned(by="bo", reason="stale", at=OLD)).to_bytes()
