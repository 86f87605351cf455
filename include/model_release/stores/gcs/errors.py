"""The errors of Google's store, by code into the error tree. For the modules of `gcs`."""

from __future__ import annotations

import http.client

import requests
import urllib3.exceptions
from google.api_core import exceptions as api
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

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

FAILURES = (
    api.GoogleAPIError,
    GoogleAuthError,
    InvalidResponse,
    DataCorruption,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    ConnectionError,
)
"""All that the SDK raises; it lets its transports' own errors through."""

_UNREACHED = (
    requests.ConnectTimeout,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
)
_THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_PROTECTED = frozenset({"retentionPolicyNotMet", "objectUnderActiveHold"})


def fault_of(error: BaseException) -> Fault | None:
    """The kind of a fault that may pass if the request is sent again; None if it will not."""
    error = _root(error)
    status = status_of(error)
    if status == 429 or _reason(error) in _THROTTLED:
        return Fault.THROTTLED
    if status == 408 or (status is not None and status >= 500):
        return Fault.UNANSWERED
    if status is not None or isinstance(error, DataCorruption):
        return None
    if isinstance(error, GoogleAuthError):
        return Fault.UNREACHED if isinstance(error, TransportError) or error.retryable else None
    inner = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, _UNREACHED) or isinstance(inner, _UNREACHED):
        return Fault.UNREACHED
    return Fault.UNANSWERED if isinstance(error, FAILURES) else None


def status_of(error: BaseException) -> int | None:
    """The HTTP status of the answer that this error is, None where there was no answer."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None) or getattr(error, "code", None)
    return int(status) if isinstance(status, int) else None


def translate(error: BaseException, asked: Asked) -> ModelReleaseError:
    """Return the project's error for the SDK's. Not found means the bucket; an object is told before."""
    error = _root(error)
    fault, status, reason = fault_of(error), status_of(error), _reason(error)
    because = f"HTTP {status}" if status else type(error).__name__
    if fault is not None:
        return passing(fault, because, asked)
    if isinstance(error, DataCorruption):
        return Corrupt(
            "the store has another checksum than the bytes that travelled",
            where=asked.where,
            hint="do it again",
        )
    if isinstance(error, GoogleAuthError):
        return unauthenticated(error, asked.where)
    if status == 404:
        return NotFound(
            "there is no such bucket",
            where=f"gs://{asked.container}",
            hint="create it, or correct the destination's URI",
        )
    if status == 409:
        return Contended("another request was at work on it", where=asked.where, hint="try again")
    if reason in _PROTECTED:
        return Refused(
            f"the bucket protects it ({reason})", where=asked.where, hint="see the bucket's retention policy"
        )
    if status in (401, 403):
        return CredentialsRefused(
            f"this identity may not do that (HTTP {status}, {reason or 'no reason given'})",
            where=asked.where,
            hint=f"grant it {asked.permission} on the bucket {asked.container}",
        )
    if status == 400:
        return UsageError(
            f"the store does not take this request ({reason or 'HTTP 400'})",
            where=asked.where,
            hint="check the destination's storage_class, kms_key and tags, and the bucket's location",
        )
    return Refused(f"the store refuses ({because}, {reason or 'no reason given'})", where=asked.where)


def unauthenticated(error: GoogleAuthError, where: str) -> ModelReleaseError:
    """Return the project's error for credentials that give no token."""
    if isinstance(error, DefaultCredentialsError):
        return CredentialsRefused(
            "there are no default credentials for Google Cloud",
            where=where,
            hint="run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
        )
    answer = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], dict) else {}
    if answer.get("error") == "invalid_grant" and "iat" in str(answer.get("error_description")):
        return Refused("this machine's clock is wrong", where=where, hint="set it, with NTP, and try again")
    return CredentialsRefused(
        f"Google gives no token for these credentials ({answer.get('error', type(error).__name__)})",
        where=where,
        hint="check that the account and its key still exist and are enabled",
    )


def _root(error: BaseException) -> BaseException:
    """The last failure of an attempt, where the retries were what ended."""
    return error.cause if isinstance(error, api.RetryError) and error.cause is not None else error


def _reason(error: BaseException) -> str | None:
    """The one word that the store gives, such as `forbidden`."""
    response = getattr(error, "response", None)
    try:
        return None if response is None else str(response.json()["error"]["errors"][0]["reason"])
    except (ValueError, LookupError, TypeError):
        return None  # not every answer is the store's own: proxies answer in HTML
