"""What a person may do to a model's releases from the page, and why something may not be done now."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import NamedTuple

from airflow.configuration import conf

from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer, why_barred, why_not
from model_release.documents.version import Version
from model_release.releases.catalog import promotion_target_of
from model_release.releases.request import TAKES_VERSION, Action

OVERRULES = {
    Action.ROLLBACK: "Go back although no form of it loads where the task runs",
    Action.PROMOTE: "Promote although the gate has not accepted it against what is live",
}
"""What a person may overrule, by act."""


class Choice(NamedTuple):
    """An act that a page offers.

    Attributes:
        action: which one.
        words: on the button.
        version: which it is about; None if it is about `latest`.
        refused: why it would be refused or undone now; None if it may be done.
    """

    action: Action
    words: str
    version: Version | None
    refused: str | None


def about_latest(pointer: Pointer, back: Version | None) -> list[Choice]:
    """Return the acts that are about what is live.

    Args:
        pointer: what is live.
        back: what a rollback goes to; None if there is nothing.
    """
    alone = None if back else "no other version was live before that may be live again"
    words = f"Roll back to {back}" if back else "Roll back"
    free = None if pointer.holds else "latest is not held"
    return [
        Choice(Action.ROLLBACK, words, back, alone),
        Choice(Action.HOLD, f"Hold latest at {pointer.version}", None, None),
        Choice(Action.UNHOLD, "Lift the hold", None, free),
    ]


def about(pointer: Pointer, manifest: Manifest) -> list[Choice]:
    """Return the acts that are about one published version."""
    version, name = manifest.version, str(manifest.version)
    is_live = f"{name} is live" if pointer.version == version else None
    barred = why_barred(pointer, version)
    quarantined = f"{name} is in quarantine" if name in pointer.quarantined else None
    return [
        Choice(Action.ROLLBACK, f"Roll back to {name}", version, is_live or barred),
        Choice(Action.PROMOTE, f"Promote {name}", version, is_live or why_not(pointer, promotion_target_of(manifest))),
        Choice(
            Action.QUARANTINE,
            f"Quarantine {name}",
            version,
            f"{is_live}: roll back instead, which puts it into quarantine" if is_live else quarantined,
        ),
        Choice(Action.LIFT, f"Take {name} out of quarantine", version, None if quarantined else f"{name} is in none"),
    ]


def choice_of(choices: list[Choice], action: Action) -> Choice | None:
    """Return the act of that kind; None if the page has none."""
    return next((each for each in choices if each.action is action), None)


def takes_version(action: Action) -> bool:
    """Whether an act is about a version."""
    return action in TAKES_VERSION


def new_run_id(action: Action) -> str:
    """Return the id of the run that a form starts. A form that is sent twice starts one run."""
    return f"page__{action}__{secrets.token_hex(8)}"


def form_token(user: str, dag_id: str, run_id: str) -> str:
    """Return what a form carries to show that this page made it for this user: another site cannot know it."""
    key = conf.get_mandatory_value("api", "secret_key").encode()
    return hmac.new(key, f"model-releases\n{user}\n{dag_id}\n{run_id}".encode(), hashlib.sha256).hexdigest()


def is_ours(token: str, user: str, dag_id: str, run_id: str) -> bool:
    """Whether a form was made by this page for this user, for that act."""
    return hmac.compare_digest(token.encode(), form_token(user, dag_id, run_id).encode())
