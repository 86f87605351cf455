"""The forms that a person fills in: each DAG's params, with words for every field and the checks that a form can make.

Runs at every parse, so it imports nothing heavy.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, XComArg, conf

from model_release.spec.summary import Summary

APPROVE, REJECT = "Approve", "Reject"
"""What a person may answer."""


def retrain_params(spec: Summary) -> dict[str, Param]:
    """Return the form of a manual run."""
    from model_release.documents.version import Bump

    names = spec.candidates
    return {
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Data as of",
            description="Train on what had arrived by this day, though it may not be over. Empty: the day on which "
            "the data interval ends, or today, in the schedule's time zone.",
        ),
        "candidates": Param(
            names,
            type="array",
            items={"type": "string", "enum": names},
            examples=names,
            minItems=1,
            uniqueItems=True,
            title="Candidates",
            description="Which recipes of the spec are trained and compared.",
        ),
        "accuracy_floor": Param(
            None,
            type=["null", "number"] if spec.has_accuracy else "null",
            exclusiveMinimum=0,
            exclusiveMaximum=1,
            title="Accuracy floor",
            description="Least mean accuracy in cross-validation: more than 0 and less than 1, such as 0.82 (not 82). "
            "Empty: what the spec says."
            if spec.has_accuracy
            else "A model of numbers has no accuracy: leave it empty. Floors of its own figures stand in the spec.",
        ),
        "promote": Param(
            "auto",
            type="string",
            enum=["auto", "never", "force"],
            values_display={
                "auto": "auto: by the rules",
                "never": "never: publish a version, leave latest alone",
                "force": "force: even if the gate rejects",
            },
            title="Move latest",
            description="Holds, quarantine and the order of data stand in any case. Backfills never move latest "
            "unless their own conf says auto.",
        ),
        "bump": Param(
            "auto",
            type="string",
            enum=["auto", *Bump],
            title="Version",
            description="Which number grows. Auto: minor, or major when the spec's schema_revision has risen.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Train although nothing is new",
            description="A run that makes the same bytes says which version it reproduced.",
        ),
    }


def operate_params() -> dict[str, Param]:
    """Return the form of an act on the releases."""
    from model_release.releases.request import Action

    return {
        "action": Param(
            type="string",
            enum=[*Action],
            values_display={
                Action.ROLLBACK: "Roll back: go to what was live before, hold latest there",
                Action.PROMOTE: "Promote: make a published version live",
                Action.HOLD: "Hold: keep latest where it is",
                Action.UNHOLD: "Unhold: let runs move latest again",
                Action.QUARANTINE: "Quarantine: bar a version from being live",
                Action.LIFT: "Lift quarantine: take a version out of it",
            },
            title="Action",
            description="What to do. It is done at home at once; the other destinations follow.",
        ),
        "version": Param(
            None,
            type=["null", "string"],
            pattern=r"^v\d+\.\d+\.\d+$",
            title="Version",
            description="Such as v1.2.0. Promote, quarantine and lift need one. Without one, roll back goes to the "
            "newest that was live before and may be live again. Hold and unhold take none.",
        ),
        "reason": Param(
            type="string",
            minLength=1,
            title="Reason",
            description="Why, for the log; everyone who looks at latest sees it.",
        ),
        "epoch": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Epoch seen",
            description="The epoch of latest that you looked at, a whole number from 1 on. If latest has moved since, "
            "nothing is done. Empty: the one at the moment of the trigger.",
        ),
        "overrule": Param(
            False,
            type="boolean",
            title="Overrule",
            description="Promote although the gate has not accepted the version against what is live; "
            "roll back although no form of it loads here.",
        ),
    }


def housekeeping_params() -> dict[str, Param]:
    """Return the form of a round of housekeeping."""
    return {
        "dry_run": Param(
            True,
            type="boolean",
            title="Dry run",
            description="Only say what would be removed; doctor only looks, as well. Untick it to remove. "
            "The weekly runs remove.",
        ),
        "repair": Param(
            False,
            type="boolean",
            title="Repair",
            description="Doctor mends what has one right answer. Else it only says so.",
        ),
        "read_data": Param(
            False,
            type="boolean",
            title="Read every byte",
            description="Doctor hashes every file at every destination. Else it compares their sizes.",
        ),
    }


def ids_are_names() -> bool:
    """Whether Airflow's id of a user, which it compares respondents by, is the name by which that user logs in."""
    return conf.get("core", "auth_manager").endswith(".SimpleAuthManager")


def approval_task(spec: Summary, proposed: XComArg) -> XComArg:
    """Declare the task that waits for a person's answer to what was proposed; return the answer.

    No answer in time is a rejection. Airflow takes one from the spec's `approvers` only where its ids of users are the
    names by which they log in; elsewhere, *Consent* refuses an answer by another user.
    """
    from airflow.providers.standard.operators.hitl import HITLOperator
    from airflow.sdk.execution_time.hitl import HITLUser

    ask = HITLOperator(
        task_id="approve",
        task_display_name="Approve",
        subject="{{ ti.xcom_pull(task_ids='propose')['subject'] }}",
        body="{{ ti.xcom_pull(task_ids='propose')['body'] }}",
        options=[APPROVE, REJECT],
        defaults=[REJECT],
        params={"comment": Param(None, type=["null", "string"], title="Comment", description="Kept with the answer.")},
        assigned_users=[HITLUser(id=each, name=each) for each in spec.approvers if ids_are_names()] or None,
        response_timeout=timedelta(hours=spec.hours_to_answer),
    )
    proposed >> ask
    return ask.output
