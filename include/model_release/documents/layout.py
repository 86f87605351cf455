"""Every object key in one place, and the one check that a name may become part of a key.

Keys are relative to the model's root, `<root>/<model>-models/`. Callers join nothing themselves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from itertools import accumulate

from model_release.documents.version import Version
from model_release.errors import UnsafeKey

POINTER = "latest.json"
LATEST = "latest"
NEAR_THE_LAST = "latest_number.json"
"""The number at which the search for the next one begins, once many are held back. It may lag or be missing."""
LOG = "log"
STAGING = "staging"
DECISIONS = "decisions"
CONSUMERS = "consumers"
"""The folder in which consumers report which version they serve, if they do."""

CLAIM = "claim.json"
MANIFEST = "metadata.json"
SIGNATURE = "model.sig"
BECAME = "version.json"
ANSWERS = "answers"
CODE = "code"
"""The folder of a version with the wheels of its makers' own packages, which its pickles need."""

MAX_KEY_LENGTH = 900
"""Bytes. Azure and S3 take 1,024 for the whole key; the rest is left to the destination's prefix."""

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=+@-]*", re.ASCII)
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(10))}
_DOCUMENTS = {CLAIM, MANIFEST, SIGNATURE}
_FOLDERS = {LATEST, LOG, STAGING, DECISIONS, CONSUMERS}
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9]+", re.ASCII)


def check_key(key: str) -> str:
    """Return `key` if it is safe in every store and on every disk.

    Allowed: segments of ASCII letters, digits and `._=+@-`, joined by `/`, none beginning with a dot or a dash. So no
    `..`, no empty segment, no absolute path, no NUL, no backslash, no look-alike Unicode.

    Raises:
        UnsafeKey: anything else.
    """
    if len(key) > MAX_KEY_LENGTH:
        raise UnsafeKey(f"a key of {len(key)} characters is too long", hint=f"at most {MAX_KEY_LENGTH}")
    for segment in key.split("/"):
        if _SEGMENT.fullmatch(segment) is None or segment.endswith("."):
            raise UnsafeKey(
                f"{key!r} cannot be an object key, because of {segment!r}",
                hint="use letters, digits and ._=+@- between single slashes, no segment beginning with a dot",
            )
    return key


def check_name(name: str) -> str:
    """Return the name of an object that others wrote, if it leads to one place below its folder in every store.

    So a space, a bracket, a colon and letters beyond ASCII may be in it, and `..`, an empty segment and control
    characters may not.

    Raises:
        UnsafeKey: anything else.
    """
    if not name.isprintable() or not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise UnsafeKey(f"{name!r} does not lead to one object below its folder", hint="rename it at the source")
    return name


def check_paths(paths: Iterable[str]) -> None:
    """Check that the files of a release can lie beside each other in one folder on every disk.

    Raises:
        UnsafeKey: two paths are the same or differ in case only, one lies below another file, one is the name of a
            device or of a document that each version has; the message names them.
    """
    hint = "rename the file before it is published"
    files: dict[str, str] = {}
    for path in paths:
        for segment in path.split("/"):
            if segment.partition(".")[0].lower() in _DEVICES:
                raise UnsafeKey(f"the path {path!r} holds {segment!r}, the name of a device on Windows", hint=hint)
        folded = path.lower()
        if folded in _DOCUMENTS:
            raise UnsafeKey(f"the path {path!r} is the name of a document that each version has", hint=hint)
        if folded in files:
            how = "stands twice" if files[folded] == path else f"differs from {files[folded]!r} in case only"
            raise UnsafeKey(f"the path {path!r} {how}", hint=hint)
        files[folded] = path
    for folded, path in files.items():
        parents = folded.split("/")[:-1]
        above = next((each for each in accumulate(parents, "{}/{}".format) if each in files), None)
        if above is not None:
            raise UnsafeKey(f"the path {path!r} lies below {files[above]!r}, which is a file", hint=hint)


def join(uri: str, *parts: str) -> str:
    """Return the URI of a folder below `uri`, keeping a query (`?allow_network=true`) at the end."""
    base, mark, query = uri.partition("?")
    return "/".join([base.rstrip("/"), *parts]) + mark + query


def folder_name(uri: str) -> str:
    """Return the name of the folder that a URI ends in: `heart-disease-models`."""
    return uri.rpartition("/")[2]


def run_token(run_id: str) -> str:
    """Return a key segment for a run: readable, and different for different run ids.

    Airflow's run ids hold colons and plus signs (`manual__2026-11-21T02:00:00+00:00`), so the readable part is
    cut down to letters, digits and dashes, and ten digits of the id's SHA-256 keep it unique.
    """
    readable = _NOT_PLAIN.sub("-", run_id).strip("-")[:60].strip("-") or "run"
    return f"{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:10]}"


def version_dir(version: Version) -> str:
    """`v1.0.0`."""
    return str(version)


def claim(version: Version) -> str:
    """`v1.0.0/claim.json`: which run took this number."""
    return f"{version}/{CLAIM}"


def manifest(version: Version) -> str:
    """`v1.0.0/metadata.json`: decides the version, once, for ever."""
    return f"{version}/{MANIFEST}"


def signature(version: Version) -> str:
    """`v1.0.0/model.sig`: the signature of the version, if releases are signed."""
    return f"{version}/{SIGNATURE}"


def artifact(version: Version, path: str) -> str:
    """`v1.0.0/best_model.pkl`."""
    return check_key(f"{version}/{path}")


def latest_copy(path: str) -> str:
    """`latest/best_model.pkl`: a convenience, not atomic."""
    return check_key(f"{LATEST}/{path}")


def log_entry(epoch: int) -> str:
    """`log/000000000012.json`: latest.json as it was at epoch 12."""
    return f"{LOG}/{epoch:012d}.json"


def staged(run: str, sha256: str) -> str:
    """`staging/<run>/<sha256>`: a file of an open run, named by its content."""
    return check_key(f"{STAGING}/{run}/{sha256}")


def decisions_of(fingerprint: str) -> str:
    """`decisions/<fingerprint>`: the verdicts on one fingerprint."""
    return check_key(f"{DECISIONS}/{fingerprint}")


def decision(fingerprint: str, since: int | None, run: str) -> str:
    """`decisions/<fingerprint>/<baseline>-<run>.json`; the baseline is the epoch since which the champion is live."""
    return check_key(f"{DECISIONS}/{fingerprint}/{baseline_token(since)}-{run}.json")


def baseline_token(since: int | None) -> str:
    """The key segment of a baseline: its `since` epoch, or `first` if nothing is live yet."""
    return "first" if since is None else f"{since:012d}"


def answer(fingerprint: str, since: int | None, run: str) -> str:
    """`decisions/<fingerprint>/answers/<baseline>-<run>.json`: a person's answer to an accepted verdict."""
    return check_key(f"{answers_of(fingerprint, since)}{run}.json")


def answers_of(fingerprint: str, since: int | None) -> str:
    """Return the prefix of the keys of all answers about one fingerprint against one baseline."""
    return f"{decisions_of(fingerprint)}/{ANSWERS}/{baseline_token(since)}-"


def version_of(fingerprint: str) -> str:
    """`decisions/<fingerprint>/version.json`: the one version that this fingerprint became."""
    return check_key(f"{DECISIONS}/{fingerprint}/{BECAME}")


def is_verdict(key: str) -> bool:
    """Whether a key is that of a verdict: beside the verdicts of a fingerprint stand its version and its answers."""
    folder, *rest = key.split("/")
    return folder == DECISIONS and len(rest) == 2 and rest[1] != BECAME and rest[1].endswith(".json")


def is_foreign(key: str) -> bool:
    """Whether no object of a model can have this key. A folder's own marker, which ends in `/`, is not foreign."""
    if key.endswith("/") or key in (POINTER, NEAR_THE_LAST):
        return False
    folder, below, name = key.partition("/")
    if not below:
        return True
    if folder == LOG:
        number = name.removesuffix(".json")
        return not (number.isdecimal() and number.isascii() and log_entry(int(number)) == key)
    if folder == DECISIONS:
        return "/" not in name
    return folder not in _FOLDERS and not Version.is_version(folder)
