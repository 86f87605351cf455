"""Doctor on all of a model's destinations, the registry included; and its repair, by the verbs that every run uses.

No code of its own mends anything: `restore` puts right bytes back, `Destinations.reconcile` makes good what follows
from the pointer, `sweep` removes what dead runs have left. Nothing is elected: damage without one right answer stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.errors import ModelReleaseError
from model_release.releases.doctor.examine import aside, disputed, examine
from model_release.releases.doctor.findings import Cure, Damage, Finding
from model_release.releases.doctor.history import RECONCILES, settling
from model_release.releases.doctor.restore import restore
from model_release.releases.sweep import sweep
from model_release.workflows.destinations import Destinations

ROUNDS = 10
"""What is mended may show what lay beneath: a manifest that is back tells which files are wrong."""

MLFLOW = "MLflow"


@dataclass(frozen=True, slots=True)
class Checkup:
    """What doctor found, and what became of it.

    Attributes:
        found: every difference that was seen.
        left: those that are there still.
        failures: what kept the last round of repairs from mending more.
        looked: what was looked at, and what was left alone because it is young, in words.
    """

    found: list[Finding]
    left: list[Finding]
    failures: list[ModelReleaseError]
    looked: list[str] = field(default_factory=list, compare=False)

    @property
    def mended(self) -> list[Finding]:
        """The differences that are gone."""
        return [each for each in self.found if each not in self.left]

    @property
    def wrong(self) -> list[Finding]:
        """The differences that are there still and need an act; the others are only told."""
        return [each for each in self.left if not each.note]


def checkup(
    destinations: Destinations,
    *,
    read_data: bool = False,
    repair: bool = False,
    by: str = "doctor",
    tell: Callable[[str], None] = lambda _words: None,
) -> Checkup:
    """Look at everything; with `repair`, mend what has one right answer, until nothing more can be mended.

    Killed anywhere and run again, a repair ends the same.

    Args:
        destinations: of the model.
        read_data: read and hash every file; otherwise their sizes are compared.
        repair: mend.
        by: who does, for the numbers that are given up.
        tell: called with a word about each object that is read whole.

    Raises:
        Contended: the pointer moved each time that doctor looked.
    """
    looked: list[str] = []

    def look() -> list[Finding]:
        grace = timedelta(hours=destinations.retention.grace_hours)
        looked.clear()
        found = examine(
            destinations.releases,
            read_data=read_data,
            grace=grace,
            data=destinations.data,
            tell=tell,
            looked=looked.append,
        )
        return [*found, *_aliases(destinations, found)]

    left = look()
    found, failures = dict.fromkeys(left), list[ModelReleaseError]()
    helpless: dict[Finding, ModelReleaseError | None] = {}
    for _ in range(ROUNDS if repair else 0):
        tried = {each for each in left if each.repairable}
        failed = _mend(destinations, left, by)
        failures = [error for error, _ in failed]
        helpless |= dict.fromkeys(tried) | {each: error for error, about in failed for each in about}
        if not left:
            break
        left = look()
        found |= dict.fromkeys(left)
        if not {each for each in left if each.repairable} - tried:
            break
    left = [_unhelped(each, helpless[each]) if each in helpless and each.repairable else each for each in left]
    return Checkup([*found], left, failures, looked)


def _unhelped(finding: Finding, error: ModelReleaseError | None) -> Finding:
    """Return a finding that a repair has not mended, with the reason and who could, in place of the promise."""
    who = f"a person who may write at {finding.destination} looks at {finding.where}, and runs `--repair` again"
    if error is None:
        remedy = f"`--repair` was tried, and it is as it was: {who}"
    else:
        elsewhere = f"{error.where}: " if error.where and error.where != finding.where else ""
        remedy = f"`--repair` could not mend it: {elsewhere}{error.what}; {error.hint or who}"
    return replace(finding, cure=None, parts=(), remedy=remedy)


def _mend(
    destinations: Destinations, found: Collection[Finding], by: str
) -> list[tuple[ModelReleaseError, list[Finding]]]:
    """Mend once what can be mended now, each thing by itself; return what failed, and the findings it was to mend."""
    failures: list[tuple[ModelReleaseError, list[Finding]]] = []

    def attempt(call: Callable[[], object], about: list[Finding]) -> None:
        try:
            call()
        except ModelReleaseError as error:
            failures.append((error, about))

    def cured_by(cure: Cure) -> list[Finding]:
        return [each for each in found if each.cure is cure]

    stores = {each.uri: each for each in destinations.releases.stores}
    # files first: a version that has its manifest should be there whole
    for finding in sorted(cured_by(Cure.RESTORE), key=lambda each: each.where.endswith(layout.MANIFEST)):

        def put_back(finding: Finding = finding) -> None:
            for part in finding.parts:
                restore(stores[finding.destination], part)

        attempt(put_back, [finding])
    if disputed(found, destinations.home.uri):
        return failures
    away = aside(found)
    followers = [each for each in destinations.releases.followers if each.store.uri not in away]
    tracking = None if MLFLOW in away else destinations.tracking
    trusted = Destinations(destinations.home, followers, tracking=tracking)
    attempt(trusted.reconcile, cured_by(Cure.RECONCILE))
    if cured_by(Cure.SWEEP):
        attempt(lambda: sweep(trusted.releases, by=by, remove=True), cured_by(Cure.SWEEP))
    return failures


def _aliases(destinations: Destinations, found: Collection[Finding]) -> Iterator[Finding]:
    """Compare MLflow's aliases with what is live; without an answer, everything else is seen all the same."""
    if destinations.tracking is None or disputed(found, destinations.home.uri):
        return
    try:
        if settling(destinations.home.get(layout.POINTER), destinations.home.now()):
            return
        _, live = destinations.live()
    except ModelReleaseError:  # nothing is live, or its manifest is damaged: a finding already
        return
    model = destinations.tracking.registered_model
    where = f"{model}@champion"
    try:
        from model_release import tracking

        named = tracking.aliases(destinations.tracking)
    except ImportError:
        remedy = "run doctor where model-release[mlflow] is installed"
        yield Finding(Damage.UNREADABLE, MLFLOW, where, "mlflow is not installed here", remedy)
        return
    except ModelReleaseError as error:
        yield Finding(Damage.UNREADABLE, MLFLOW, where, error.what, error.hint or "look again when it answers")
        return
    if named.champion_run != (live.mlflow.run_id if live.mlflow else None):
        version = f"version {named.champion}" if named.champion else "nothing"
        what = f"it names {version}, and what is live is {_in_mlflow(live)}"
        yield Finding(Damage.ALIAS_DIFFERS, MLFLOW, where, what, RECONCILES, Cure.RECONCILE)
    if named.stale is not None:
        what = f"it names version {named.stale}, which is judged no longer"
        yield Finding(Damage.ALIAS_DIFFERS, MLFLOW, f"{model}@challenger", what, RECONCILES, Cure.RECONCILE)


def _in_mlflow(live: Manifest) -> str:
    return f"{live.version}, {f'MLflow run {live.mlflow.run_id}' if live.mlflow else 'which MLflow does not know'}"
