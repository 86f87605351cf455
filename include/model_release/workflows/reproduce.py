"""Training a release again from what its manifest recorded, to see whether the same bytes come out (rule 10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from model_release import __version__
from model_release.documents.golden import GOLDEN_FILE
from model_release.documents.manifest import Manifest, model_bytes
from model_release.errors import Corrupt, NotFound, SpecError
from model_release.model_files.own_code import wheels
from model_release.modelling import dataset, provenance, training
from model_release.modelling.evaluation import recipe_of
from model_release.modelling.training import apart
from model_release.modelling.wheels import wheels_here
from model_release.releases import compare
from model_release.releases.compare import Difference
from model_release.spec.model import Spec
from model_release.stores import Store
from model_release.workflows.own_code import own_code


@dataclass(frozen=True, slots=True)
class Remade:
    """One file: the SHA-256 in the release, and the SHA-256 of the file made now; None if none was made."""

    path: str
    released: str
    made: str | None

    @property
    def same(self) -> bool:
        """Whether every byte came out as it was."""
        return self.released == self.made


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The result of training a release again.

    Attributes:
        files: the model and its preprocessor.
        answers: the golden answers, which count in place of the files if two fits of the release differed; else None.
        facts: what was recorded of code, packages and machine (`a`) and is different here (`b`): the cause, where
            bytes differ.
    """

    files: list[Remade]
    answers: Remade | None
    facts: list[Difference]

    @property
    def same(self) -> bool:
        """Whether every file came out as it was, or every answer of a release whose bytes vary."""
        return self.answers.same if self.answers else all(each.same for each in self.files)


def data_uri(manifest: Manifest) -> str:
    """Return the dataset's folder, as it was when the model was trained.

    Raises:
        NotFound: the manifest names no snapshot.
    """
    facts = manifest.dataset
    if facts is None or facts.uri is None or facts.fingerprint is None:
        raise _not_recorded(manifest, "the snapshot")
    folder, mark, _ = facts.uri.rpartition("/processed/")
    if not mark:
        raise Corrupt(f"names {facts.uri} as its snapshot, which is none", where=f"{manifest.version}/metadata.json")
    return folder


def reproduce(
    manifest: Manifest,
    data: Store,
    *,
    release: Store | None = None,
    say: Callable[[str], object] = lambda _words: None,
) -> Reproduction:
    """Fit the released recipe again to the recorded rows, and compare the bytes with those of the release.

    Args:
        manifest: of the release.
        data: the dataset's folder.
        release: the model's folder, whose version may bring code of its own; without it, the code that is here is used.
        say: called with a sentence about each step.

    Raises:
        NotFound: the release was not trained by this package, or the snapshot is gone.
        SpecError: the recorded spec is not one for this version of the package.
        Corrupt: the rows are not those that were recorded.
    """
    recipe = recipe_of(manifest)
    if manifest.spec is None or recipe is None:
        raise _not_recorded(manifest, "the spec")
    spec = _spec(manifest)
    say(f"reading the snapshot from {data.uri} …")
    rows = _rows(manifest, spec, data)
    training_rows, _ = dataset.rows_apart(spec, rows)
    name = str((manifest.parameters or {}).get("candidate"))
    say(f"fitting {name} to {len(training_rows)} rows …")
    theirs = wheels(manifest.files) if release else []
    if release and {each.sha256 for each in theirs} - wheels_here(recipe):
        say(f"with the code of {manifest.version}, in a process of its own")
        made = apart.remade_by(own_code(release, manifest), recipe, spec, rows, training_rows)
    else:
        made = training.remade(recipe, spec, rows, training_rows)
    files = [Remade(path, sha256, made.get(path)) for path, sha256 in model_bytes(manifest).items()]
    answers = None
    if manifest.varies:
        say(f"{manifest.varies}; comparing the answers to the golden rows …")
        answers = Remade(GOLDEN_FILE, manifest.file(GOLDEN_FILE).sha256, made[GOLDEN_FILE])
    return Reproduction(files, answers, _facts(manifest))


def _spec(manifest: Manifest) -> Spec:
    try:
        return Spec.model_validate_json(json.dumps(manifest.spec))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        theirs = manifest.code.package if manifest.code else None
        raise SpecError(
            f"its spec was recorded by model-release {theirs or 'of an unknown version'}, and {__version__}, which is "
            f"installed here, does not understand it: {'.'.join(map(str, fault['loc']))}: {fault['msg']}",
            where=f"{manifest.version}/metadata.json",
            hint=f"reproduce it with model-release {theirs}" if theirs else None,
        ) from error


def _rows(manifest: Manifest, spec: Spec, data: Store) -> dataset.Rows:
    fingerprint = manifest.dataset.fingerprint if manifest.dataset else None
    if fingerprint is None:
        raise _not_recorded(manifest, "the snapshot")
    try:
        return dataset.load(spec, dataset.read_snapshot(data, fingerprint), data=data)
    except NotFound as error:
        raise NotFound(
            f"the snapshot that {manifest.version} was trained on is not here",
            where=error.where,
            hint="if the data was moved or lies behind a connection of its own, name its folder with --data",
        ) from error


def _facts(manifest: Manifest) -> list[Difference]:
    """Return the recorded facts that are different here."""
    here = manifest.model_copy(
        update={
            "python_version": provenance.python_version(),
            "environment": provenance.package_versions(*manifest.environment),
            "machine": provenance.machine_facts() if manifest.machine else None,
            "code": provenance.code_facts(),
        }
    )
    found = compare.differences(compare.environment(manifest), compare.environment(here))
    names = ("package", "digest")  # a revision may differ and its code be the same; the digest tells
    code, ours = ({f"code {name}": facts.get(name) for name in names} for facts in map(compare.code, (manifest, here)))
    return [*found, *compare.differences(code, ours)]


def _not_recorded(manifest: Manifest, what: str) -> NotFound:
    return NotFound(
        f"{what} that {manifest.version} was trained by is not recorded",
        where=f"{manifest.version}/metadata.json",
        hint="it was published by hand, or by a version of this package that did not record it",
    )
