"""Messages between tasks: through JSON and back unchanged, and nothing that is not one of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from model_release.documents.verdict import Check
from model_release.documents.version import Version
from model_release.errors import Corrupt, Stop
from model_release.workflows.messages import (
    ActOutcome,
    Approval,
    ArtifactsOfRun,
    ConsentOutcome,
    Evaluated,
    IngestOutcome,
    Looked,
    Message,
    Proposal,
    ReconcileOutcome,
    ReleaseOutcome,
    TrainedCandidate,
    Uploaded,
    UploadOrder,
    Verdict,
    Work,
    parse,
)

SHA = "0123456789abcdef" * 4
V = Version(1, 2, 0)
ARTIFACTS = ArtifactsOfRun(staging="run", snapshot=SHA, trained={"logistic": SHA})
ORDER = UploadOrder(spec=SHA, destination="home", version=V, basis=Approval(words="approved by ann", since=None))
EACH: list[Message] = [
    Work(spec=SHA, candidate="logistic", snapshot=SHA, fingerprint=SHA),
    TrainedCandidate(spec=SHA, candidate="logistic", snapshot=SHA, fingerprint=SHA, trained=SHA),
    Evaluated(spec=SHA, fingerprint=SHA, artifacts=ARTIFACTS, evaluation=SHA),
    Proposal(spec=SHA, draft=SHA, decision="decisions/x.json", subject="Release?", body="| brier |"),
    ORDER,
    ORDER.model_copy(update={"basis": ARTIFACTS}),
    Uploaded(spec=SHA, order=ORDER, sent=["best_model.pkl"], lagging="no answer"),
    ReconcileOutcome(live=V, epoch=3, mended=["latest/ renewed"], lagging=[]),
    ReconcileOutcome(live=None, epoch=None, mended=[], lagging=[]),
    IngestOutcome(new=True, reason=None, rows=3, as_of=date(2026, 10, 1), snapshot=SHA, fingerprint=SHA),
    Verdict(
        accepted=True,
        summary="accepted",
        baseline=V,
        reasons=["better"],
        checks=[Check(name="drift", passed=True, words="no drift", value=0.25)],
    ),
    ConsentOutcome(asked=True, approved=True, by="ann", summary="approved", version=V),
    ReleaseOutcome(version=V, promoted=True, reason=None, live=V, epoch=3, mended=[], lagging=[], mlflow="https://m"),
    Looked(live=V, epoch=3, held=["by ann: audit"], seen=None),
    ActOutcome(summary="held", repeated=False, epoch=4),
]


@pytest.mark.parametrize("message", EACH, ids=lambda each: each.to_json()["kind"])
def test_a_message_is_the_same_after_its_way_through_json(message: Message) -> None:
    assert parse(message.to_json()) == message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "the message"),
        ({}, "kind"),
        ({**ORDER.to_json(), "kind": "order"}, "order"),
        ({key: value for key, value in ORDER.to_json().items() if key != "kind"}, "kind"),
        ({**ORDER.to_json(), "bench": {}}, "bench: Extra inputs"),
        ({key: value for key, value in ORDER.to_json().items() if key != "spec"}, "spec: Field required"),
        ({**ORDER.to_json(), "version": "1.2"}, "version"),
        ({**EACH[7].to_json(), "epoch": "3"}, "epoch"),
        ({**ORDER.to_json(), "basis": {"words": "approved by ann", "since": 1}}, "basis"),
    ],
)
def test_what_is_no_message_is_an_error_that_no_retry_mends(value: Any, words: str) -> None:
    with pytest.raises(Corrupt, match=words) as caught:
        parse(value)
    assert isinstance(caught.value, Stop)
