"""Kinds of damage to a healthy scene, each with what doctor must find of it: nothing less, and nothing else."""

from support.damaged_stores import files, followers, manifests, pointers, remains, strangers
from support.damaged_stores.cases import CASES, Case
from support.damaged_stores.scene import EPOCH, LIVE, MODEL, POINTER, V110, V160, Scene, build

__all__ = [
    "CASES", "EPOCH", "LIVE", "MODEL", "POINTER", "V110", "V160",
    "Case", "Scene", "build",
    "files", "followers", "manifests", "pointers", "remains", "strangers",
]  # fmt: skip
