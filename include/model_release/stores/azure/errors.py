"""Azure's errors, by code into the error tree. For `azure.store`."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from model_release.errors import (
    Contended,
    Corrupt,
    CredentialsRefused,
    ModelReleaseError,
    NotFound,
    Refused,
    UsageError,
)
from model_release.stores.faults import Asked, Fault, passing

EXISTS = frozenset({"BlobAlreadyExists", "UnauthorizedBlobOverwrite"})
"""The blob exists and was not to. The second is the answer to an identity that may create and not overwrite."""

CHANGED = frozenset({"ConditionNotMet", "TargetConditionNotMet"})
NO_CONTAINER = "ContainerNotFound"

CLOCK_SLACK = 15 * 60
"""Seconds by which Azure lets a request's date differ from its own clock."""

_THROTTLED = frozenset({"ServerBusy", "TooManyRequests"})
_DAMAGED = frozenset({"Md5Mismatch", "InvalidMd5"})
_PROTECTED = frozenset(
    {"BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold", "LeaseIdMissing", "SnapshotsPresent"}
)


def fault_of(error: BaseException) -> Fault | None:
    """The kind of a fault that may pass if the request is sent again; None if it will not."""
    if isinstance(error, ServiceRequestError):
        return Fault.UNREACHED
    if isinstance(error, ServiceResponseError | IncompleteReadError):
        return Fault.UNANSWERED
    status = status_of(error)
    if isinstance(error, HttpResponseError) and status is None and not isinstance(error, ClientAuthenticationError):
        return Fault.UNANSWERED  # the answer began and was cut off
    if status == 429 or code_of(error) in _THROTTLED:
        return Fault.THROTTLED
    if status is None or status in (501, 505):
        return None
    return Fault.UNANSWERED if status == 408 or status >= 500 else None


def status_of(error: BaseException) -> int | None:
    """The HTTP status of the answer that this error is, None where there was no answer."""
    return error.status_code if isinstance(error, HttpResponseError) else None


def code_of(error: BaseException) -> str | None:
    """The service's word for it, such as `BlobNotFound`: from its header, else from the body."""
    known = getattr(error, "error_code", None)
    return _header(error, "x-ms-error-code") or (str(getattr(known, "value", known)) if known else None)


def translate(error: AzureError, asked: Asked) -> ModelReleaseError:
    """Return the project's error for the SDK's, for all but missing blobs and failed conditions."""
    fault, status, code = fault_of(error), status_of(error), code_of(error)
    because = " ".join(each for each in (f"HTTP {status}" if status else type(error).__name__, code) if each)
    if fault is not None:
        return passing(fault, because, asked)
    if code == NO_CONTAINER:
        return NotFound(
            "there is no such container",
            where=asked.container,
            hint="create it, or correct the destination's URI",
        )
    if code == "InvalidBlockList":
        return Contended("another upload to this key came between", where=asked.where, hint="try again")
    if code in _DAMAGED:
        return Corrupt("the store got other bytes than were sent", where=asked.where, hint="send it again")
    if code in _PROTECTED:
        return Refused(f"the store protects it ({code})", where=asked.where, hint="see its lease and policies")
    if isinstance(error, ClientAuthenticationError) or status in (401, 403):
        return _not_allowed(error, because, asked)
    if status == 400:
        return UsageError(
            f"the store does not take this request ({because})",
            where=asked.where,
            hint="check the destination's storage_class, encryption_scope and tags",
        )
    return Refused(f"the store refuses ({because})", where=asked.where)


def _not_allowed(error: AzureError, because: str, asked: Asked) -> ModelReleaseError:
    date = _header(error, "Date")
    skew = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds() if date else 0.0
    if abs(skew) > CLOCK_SLACK:
        way = "ahead of" if skew > 0 else "behind"
        return Refused(
            f"this machine's clock is {abs(skew) / 60:.0f} minutes {way} the store's",
            where=asked.where,
            hint="set it, with NTP, and try again",
        )
    return CredentialsRefused(
        f"this identity may not do that ({because})",
        where=asked.where,
        hint=f"let it {asked.permission} blobs in {asked.container} (role Storage Blob Data Contributor, or "
        "a SAS with just that); see that the key or SAS is current and that the firewall lets it in",
    )


def _header(error: BaseException, name: str) -> str | None:
    response = getattr(error, "response", None)
    value = None if response is None else response.headers.get(name)
    return None if value is None else str(value)
