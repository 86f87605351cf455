"""The facts that a person gives about files made elsewhere, and the manifest that follows. A fact not given is null.

Facts come from a hand-made `metadata.json`, which may hold anything else as well, and from options, which win.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from model_release.documents import layout, limits
from model_release.documents.base import Day, canonical_json, sha256_of
from model_release.documents.manifest import REQUIREMENTS, DatasetFacts, InputColumn, Manifest, RunFacts
from model_release.documents.output import Output
from model_release.documents.suggest import did_you_mean
from model_release.documents.version import FIRST
from model_release.errors import UsageError
from model_release.releases.manual.collect import Collected

MODEL_FILE = "best_model.pkl"
PREPROCESSOR_FILE = "preprocessor.pkl"

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*([^\s;#,\\]+)", re.ASCII)
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?)\s*(.*?)\s*", re.ASCII)


def _text(value: object) -> object:
    """Text stays; what has parts is kept as JSON. A number is refused: 3.10 would have become 3.1."""
    match value:
        case str():
            return value.strip() or None
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case None:
            return None
    raise ValueError(f"{value!r} is not text; write it in quotes")


def _share(value: object) -> object:
    if value is None:
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if 0 <= number <= 1:
        return number
    percent = f"; if that is a percentage, write {number / 100:g}" if 1 < number <= 100 else ""
    raise ValueError(f"{value!r} is not a fraction between 0 and 1{percent}")


def _moment(value: object) -> object:
    if value is None or isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(value.strip())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        raise ValueError(f"{value!r} is not a time such as 2026-11-21T02:00:00+00:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _requirements(value: object) -> object:
    """A mapping of names to versions, or requirements one by one, as a list or as lines."""
    if value is None:
        return {}
    if isinstance(value, str):
        value = [line for line in value.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if isinstance(value, list):
        found = [_REQUIREMENT.fullmatch(each) if isinstance(each, str) else None for each in value]
        for each, match in zip(value, found, strict=True):
            if match is None:
                raise ValueError(f"{each!r} is not a requirement such as scikit-learn==1.9.1")
        return {match[1]: re.sub(r"^==\s*(?=[^,]*$)", "", match[2]) for match in found if match}
    if isinstance(value, dict):
        return {name: _text(version) or "" for name, version in value.items()}
    raise ValueError(f"{value!r} is neither names with versions nor a list such as scikit-learn==1.9.1")


Text = Annotated[str | None, BeforeValidator(_text)]


class Facts(BaseModel):
    """What can be told of a hand-made release; other names are kept in the manifest's `told` and mean nothing.

    A time without a zone is UTC. The `version` that a hand-made file has is not the release's number.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    model_name: Text = None
    trained_date: Annotated[datetime | None, BeforeValidator(_moment)] = None
    accuracy: Annotated[float | None, BeforeValidator(_share)] = None
    accuracy_measured_on: Text = None
    model_file: Text = None
    preprocessor_file: Text = None
    framework: Text = None
    python_version: Text = None
    dependencies: Annotated[dict[str, str], BeforeValidator(_requirements)] = {}
    training_data: Text = None
    data_as_of: Day | None = None
    schema_revision: int = Field(1, ge=1)


@dataclass(frozen=True, slots=True)
class Interface:
    """What the model takes and answers, as a person says.

    Attributes:
        columns: what it takes, in its order.
        output: what it answers.
    """

    columns: list[InputColumn]
    output: Output


def draft(
    collected: Collected, options: Mapping[str, Any], *, called: str, interface: Interface | None = None
) -> Manifest:
    """Return the manifest of the release to be; its number is settled by the claim.

    Its fingerprint goes by the files and by all that was told, so that the same folder is the same release.

    Args:
        collected: the files.
        options: facts that were told beside `metadata.json`, by the names of `Facts`; they win.
        called: the model's name if no fact gives it.
        interface: what the model takes and answers; None: nobody says, and no service can check a request.

    Raises:
        UsageError: a fact that cannot be right or has no such name, or a model file that is not there.
    """
    for name in options:
        if name not in Facts.model_fields:
            raise UsageError(
                f"no fact is called {name!r}{did_you_mean(name, Facts.model_fields)}",
                hint=f"known: {', '.join(Facts.model_fields)}",
            )
    told = _hand_made(collected.folder / layout.MANIFEST, where=f"{collected.source}/{layout.MANIFEST}")
    facts = _facts(collected, told or {}, options)
    paths = {entry.path: entry.sha256 for entry in collected.files}
    model = facts.model_file or MODEL_FILE
    preprocessor = facts.preprocessor_file or (PREPROCESSOR_FILE if PREPROCESSOR_FILE in paths else None)
    for role, path in (("model", model), ("preprocessor", preprocessor)):
        if path is not None and path not in paths:
            raise UsageError(
                f"there is no {role} file {path!r} among {', '.join(paths)}",
                where=collected.source,
                hint=f"put it there, or tell the right name as {role}_file",
            )
    counted: dict[str, Any] = {
        "files": paths,
        "told": told,
        "facts": facts.model_dump(mode="json", exclude_defaults=True),
    }
    if interface is not None:
        counted["takes"] = [each.model_dump(mode="json", exclude_defaults=True) for each in interface.columns]
        counted["answers"] = interface.output.model_dump(mode="json", exclude_defaults=True)
    fingerprint = sha256_of(json.dumps(counted, sort_keys=True, allow_nan=False).encode())
    requirements_file, requirements = _requirements_of(facts, collected, paths)
    trained = facts.trained_date
    only_day = _is_day({**(told or {}), **options}.get("trained_date"))
    return Manifest(
        model_name=facts.model_name or called,
        version=FIRST,
        trained_date=trained.astimezone(UTC).date() if trained else None,
        accuracy=facts.accuracy,
        model_file=model,
        preprocessor_file=preprocessor,
        framework=facts.framework,
        python_version=facts.python_version,
        dependencies=requirements_file,
        training_data=facts.training_data,
        trained_at=None if only_day else trained,
        requirements=requirements,
        fingerprint=fingerprint,
        accuracy_measured_on=facts.accuracy_measured_on,
        files=collected.files,
        dataset=DatasetFacts(uri=None, fingerprint=None, as_of=facts.data_as_of) if facts.data_as_of else None,
        schema_revision=facts.schema_revision,
        input_schema=interface.columns if interface else None,
        output=interface.output if interface else None,
        run=RunFacts(dag_id=None, run_id=f"published-{fingerprint[:12]}", run_type=None),
        told=told,
    )


def _requirements_of(facts: Facts, collected: Collected, paths: Collection[str]) -> tuple[str | None, dict[str, str]]:
    """Return the file that pins what the pickles need, if there is one, and the packages.

    The reference's `dependencies` is the file's name; here it may be the packages as well, and they win over the
    file's pins.
    """
    (name, version), *more = facts.dependencies.items() or [("", "")]
    if not name.endswith(".txt") or version or more:
        file, told = REQUIREMENTS if REQUIREMENTS in paths else None, facts.dependencies
    elif name in paths:
        file, told = name, {}
    else:
        raise UsageError(
            f"there is no file of requirements {name!r} among {', '.join(paths)}",
            where=collected.source,
            hint="put it there, or tell the packages themselves as dependencies",
        )
    if told or file is None:
        return file, told
    return file, _pins(limits.read_bounded(collected.folder / file, limits.SPEC).decode(errors="replace"))


def _pins(text: str) -> dict[str, str]:
    """Return the exact versions that a file of requirements asks for; other lines say nothing here."""
    found = [_PIN.match(line.strip()) for line in text.splitlines()]
    return {match[1]: match[2] for match in found if match}


def _is_day(value: object) -> bool:
    try:
        date.fromisoformat(str(value).strip())
    except ValueError:
        return False
    return True


def _hand_made(path: Path, *, where: str) -> dict[str, Any] | None:
    """Read a hand-made `metadata.json`; None if there is none.

    Raises:
        UsageError: it is no JSON object, or holds what no manifest may hold.
        Corrupt: it is larger than a manifest may be.
    """

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no number in JSON")

    if not path.exists():
        return None
    try:
        document = json.loads(limits.read_bounded(path, limits.MANIFEST), parse_constant=refuse)
        canonical_json(document)
    except (ValueError, RecursionError) as error:
        hint = "mend it, or take it out of the folder and tell the facts with options"
        raise UsageError(f"is not JSON: {error}", where=where, hint=hint) from error
    if not isinstance(document, dict):
        raise UsageError("is not a JSON object of names and values", where=where)
    return document


def _facts(collected: Collected, told: Mapping[str, Any], options: Mapping[str, Any]) -> Facts:
    try:
        return Facts.model_validate({**told, **options})
    except ValidationError as error:
        faults = [
            (str(fault["loc"][0]), fault["msg"].removeprefix("Value error, "))
            for fault in error.errors(include_url=False, include_input=False)
        ]
        named = all(name in options for name, _ in faults)
        raise UsageError(
            "; ".join(f"{name}: {what}" for name, what in faults),
            where=None if named else f"{collected.source}/{layout.MANIFEST}",
            hint=None if named else "mend it there, or tell the right value with an option, which wins",
        ) from error
