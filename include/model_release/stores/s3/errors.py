"""The errors of S3, by code into the error tree. For the modules of `s3`."""

from __future__ import annotations

from enum import Enum

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    LoginError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)

from model_release.errors import (
    Contended,
    Corrupt,
    CredentialsRefused,
    ModelReleaseError,
    NotFound,
    OutcomeUnknown,
    Refused,
    StoreUnavailable,
    UsageError,
)
from model_release.stores.faults import Asked

S3Error = (BotoCoreError, ClientError)

GONE = frozenset({"NoSuchKey", "404", "NotFound"})
"""There is no such object. A HEAD's answer has no body, so botocore gives its status for a code."""

CONDITION_FAILED = frozenset({"PreconditionFailed", "412"})

_NO_BUCKET = frozenset({"NoSuchBucket"})
_CONFLICT = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})
_THROTTLED = frozenset(
    {
        *("SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "429"),
        *("RequestLimitExceeded", "BandwidthLimitExceeded", "TooManyRequests", "TooManyRequestsException"),
    }
)
_NOT_TAKEN = frozenset({"RequestTimeout", "IncompleteBody"})
_DAMAGED = frozenset(
    {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidPart"}
)
_LEFT_UNDONE = frozenset({"NoSuchUpload"})
_FORBIDDEN = frozenset({"AccessDenied", "403", "AllAccessDisabled", "KMS.AccessDeniedException"})
_UNKNOWN_IDENTITY = frozenset(
    {
        *(
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "InvalidSecurity",
            "NotSignedUp",
            "AccountProblem",
            "401",
        ),
        *(
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidToken",
            "TokenRefreshRequired",
            "UnauthorizedAccess",
        ),
    }
)
_WRONG_REGION = frozenset(
    {
        *("PermanentRedirect", "TemporaryRedirect", "Redirect", "301", "307"),
        *("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
    }
)
_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_NOT_KNOWN_HERE = frozenset({"NotImplemented", "501"})
_KMS = frozenset({"KMS.NotFoundException", "KMS.DisabledException", "KMS.KMSInvalidStateException"})

_NO_IDENTITY = (
    *(NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError),
    *(ProfileNotFound, SSOError, LoginError),
)
_NEVER_SENT = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)


class Effect(Enum):
    """The effect that a failed request may have had."""

    NONE = "it was not taken; the same request may pass"
    UNKNOWN = "it may have been carried out, or may pass when sent again"
    FINAL = "it was refused, and will be again"


def code_of(error: BaseException) -> str:
    """Return S3's code, empty for an error that did not come from S3."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def effect_of(error: BaseException) -> Effect:
    """Sort a failure by whether the request may have been carried out."""
    if isinstance(error, ClientError):
        code = code_of(error)
        if code in _CONFLICT | _THROTTLED | _NOT_TAKEN | _DAMAGED - {"InvalidPart"}:
            return Effect.NONE
        return Effect.UNKNOWN if _status(error) >= 500 and code not in _NOT_KNOWN_HERE else Effect.FINAL
    if isinstance(error, SSLError):
        return Effect.FINAL  # a certificate that is not trusted now is not trusted in a second
    if isinstance(error, _NEVER_SENT):
        return Effect.NONE
    if isinstance(error, HTTPClientError | IncompleteReadError | FlexibleChecksumError):
        return Effect.UNKNOWN
    return Effect.FINAL


def translate(error: BotoCoreError | ClientError, asked: Asked) -> ModelReleaseError:
    """Return the project's error, with the cause, the object and the next step."""
    if isinstance(error, ClientError):
        return _from_answer(error, asked)
    if isinstance(error, _NO_IDENTITY):
        return CredentialsRefused(
            "there are no credentials for S3 that can be used",
            where=asked.where,
            hint="give them by the connection, by AWS_PROFILE, AWS_ACCESS_KEY_ID … or by the machine's role",
        )
    if isinstance(error, FlexibleChecksumError | IncompleteReadError):
        return Corrupt("the answer does not match its checksum or length", where=asked.where, hint="try again")
    if isinstance(error, SSLError):
        return Refused(
            f"the certificate of {asked.endpoint} is not trusted",
            where=asked.where,
            hint="name its authority's file in AWS_CA_BUNDLE or in the connection's `verify`",
        )
    if isinstance(error, (HTTPClientError, *_NEVER_SENT)):
        if asked.conditional and effect_of(error) is Effect.UNKNOWN:
            return _lost(asked)
        return _unavailable("gave no answer", asked)
    if isinstance(error, ParamValidationError):
        return UsageError("S3 would not take the bucket's name or a setting", where=asked.where, hint=str(error))
    return Refused(f"the AWS SDK could not make the request: {type(error).__name__}", where=asked.where)


def _from_answer(error: ClientError, asked: Asked) -> ModelReleaseError:
    code, where = code_of(error), asked.where
    if code in _NO_BUCKET:
        return NotFound(f"there is no bucket {asked.container!r}", where=where, hint="create it, or mend the URI")
    if code in GONE:
        return NotFound("there is no such object", where=where)
    if code in _FORBIDDEN:
        return CredentialsRefused(
            f"this identity may not do it ({code})", where=where, hint=f"grant it {asked.permission}"
        )
    if code in _UNKNOWN_IDENTITY:
        return CredentialsRefused(
            f"S3 does not accept these credentials ({code})",
            where=where,
            hint=f"renew or correct the key that is used for {asked.endpoint}",
        )
    if code in _WRONG_REGION:
        region = _region(error)
        return UsageError(
            f"the bucket is in another region{f', {region}' if region else ''} ({code})",
            where=where,
            hint=f"set region_name in the connection, or AWS_REGION, to {region or 'the region of the bucket'}",
        )
    if code in _CLOCK:
        return Refused(
            f"this machine's clock is too far from S3's, which says {_date(error)}",
            where=where,
            hint="set the clock",
        )
    if code in _KMS:
        return Refused(f"the encryption key cannot be used ({code})", where=where, hint="check kms_key and its state")
    if code in _DAMAGED:
        return Corrupt(f"the bytes were damaged on the way ({code})", where=where, hint="try again")
    if code in _CONFLICT and asked.conditional:
        return Contended("other writers were in the way every time", where=where, hint="try again")
    if code in _LEFT_UNDONE:
        return StoreUnavailable("the upload in parts was ended from elsewhere", where=where, hint="upload again")
    if code in CONDITION_FAILED:
        return StoreUnavailable("the object was replaced while it was read", where=where, hint="try again")
    if code in _NOT_KNOWN_HERE:
        return Refused(
            f"{asked.endpoint} does not know this kind of request",
            where=where,
            hint="use a server with conditional writes (IfMatch, IfNoneMatch)",
        )
    effect = effect_of(error)
    if effect is Effect.UNKNOWN and asked.conditional:
        return _lost(asked)
    if effect is not Effect.FINAL:
        return _unavailable(f"answers {code}", asked)
    return Refused(f"S3 refuses the request ({code})", where=where, hint="check the destination's settings")


def _unavailable(what: str, asked: Asked) -> StoreUnavailable:
    return StoreUnavailable(
        f"{asked.endpoint} {what} (tried for {asked.seconds:.1f} s)",
        where=asked.where,
        hint="try again later",
    )


def _lost(asked: Asked) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"the answer of {asked.endpoint} was lost after {asked.seconds:.1f} s; it may have been written",
        where=asked.where,
        hint="send the same again",
    )


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _region(error: ClientError) -> str | None:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
    return str(region) if region else None


def _date(error: ClientError) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(error.response.get("Error", {}).get("ServerTime") or headers.get("date") or "another time")
