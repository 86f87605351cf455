"""The one place that reads the URI of a cloud's store.

    s3://[conn_id@]bucket[/prefix]
    gs://[conn_id@]bucket[/prefix]
    wasb://[conn_id@]container[@account][/prefix]

The form is that of Airflow's ObjectStoragePath. In `wasb://a@b` the `b` is an account if it holds a dot, as a host
(`account.blob.core.windows.net`) does, and otherwise a container reached through the connection `a`; `wasb://@b@account`
names an account without a dot and no connection.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import parse_qs, parse_qsl, urlsplit

from model_release.documents.layout import check_key
from model_release.documents.suggest import did_you_mean
from model_release.errors import UsageError

SCHEMES = ("s3", "gs", "wasb")

_OTHER_SPELLINGS = {
    "s3a": "s3", "s3n": "s3", "gcs": "gs",
    "wasbs": "wasb", "abfs": "wasb", "abfss": "wasb", "az": "wasb", "azure": "wasb",
}  # fmt: skip
_FORMS = {
    "s3": "s3://[conn_id@]bucket[/prefix]",
    "gs": "gs://[conn_id@]bucket[/prefix]",
    "wasb": "wasb://[conn_id@]container[@account.blob.core.windows.net][/prefix]",
}
_CONTAINER = re.compile(r"[A-Za-z0-9_$][A-Za-z0-9._-]{1,221}", re.ASCII)  # the services hold their own finer rules
_CONNECTION = re.compile(r"[\w.-]+", re.ASCII)
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoreUri:
    """A store's URI in its parts.

    Attributes:
        scheme: `s3`, `gs` or `wasb`.
        connection: Airflow's connection id, None for the SDK's default credentials.
        container: bucket or container.
        account: Azure's storage account, as a name or as its blob host.
        prefix: of every key; no slash at its ends, empty for the whole bucket.
        options: the query, such as `{"region": "eu-west-1"}`.
    """

    scheme: str
    connection: str | None
    container: str
    account: str | None
    prefix: str
    options: dict[str, str] = field(default_factory=dict)


def parse(uri: str, *, known: Collection[str] = ()) -> StoreUri:
    """Read the URI of a cloud's store.

    Args:
        uri: of one of the forms at the top of this module.
        known: the options that the caller understands.

    Raises:
        UsageError: anything else. Credentials in a URI are refused, and not repeated in the message.
    """
    scheme, separator, _ = uri.partition("://")
    if scheme not in SCHEMES or not separator:
        right = _OTHER_SPELLINGS.get(scheme)
        hint = f"write {_FORMS[right]}" if right else "clouds: " + ", ".join(f"{each}://" for each in SCHEMES)
        raise UsageError(f"no cloud answers to {scheme[:20]!r}", hint=hint)
    parts = urlsplit(uri)
    connection, container, account = _authority(scheme, parts.netloc)
    if parts.fragment:
        raise UsageError("a store's URI has no #fragment", where=f"{scheme}://{container}", hint=_FORMS[scheme])
    prefix = parts.path.strip("/")
    if prefix:
        check_key(prefix)
    options = _options(parts.query, known, where=f"{scheme}://{container}")
    return StoreUri(scheme, connection, container, account, prefix, options)


def parse_here(uri: str, *, known: Collection[str] = ()) -> StoreUri:
    """Read the URI of a store that is opened without Airflow, with this machine's own credentials.

    Raises:
        UsageError: the URI is malformed, or has a connection id.
    """
    parts = parse(uri, known=known)
    if parts.connection is not None:
        raise UsageError(
            f"{parts.connection!r} is a connection of Airflow, which is not here",
            where=f"{parts.scheme}://{parts.container}",
            hint="leave it out of the URI to use this machine's own credentials",
        )
    return parts


def without_connection(uri: str) -> str:
    """Return the URI without Airflow's connection id, to be opened with credentials of this process."""
    parts = urlsplit(uri)
    if parts.scheme not in SCHEMES:
        return uri
    connection = parse(uri, known=parse_qs(parts.query)).connection
    return parts._replace(netloc=parts.netloc.removeprefix(connection or "")).geturl()


def _authority(scheme: str, netloc: str) -> tuple[str | None, str, str | None]:
    form = f"write {_FORMS[scheme]}"
    if ":" in netloc:
        raise UsageError(
            f"a {scheme}:// URI holds neither a password nor a port",
            hint=f"{form}; keep credentials in the connection or the environment",
        )
    account = None
    names = netloc.split("@")
    if scheme == "wasb" and (len(names) == 3 or (len(names) == 2 and "." in names[1])):
        account = names.pop()
    connection = names.pop(0) if len(names) == 2 else ""
    container = names[0] if len(names) == 1 else ""
    if _CONTAINER.fullmatch(container) is None:
        raise UsageError(f"a {scheme}:// URI without the name of a bucket or container", hint=form)
    if connection and _CONNECTION.fullmatch(connection) is None:
        raise UsageError("the part before the @ is not a connection id", where=f"{scheme}://{container}", hint=form)
    if account is not None and _ACCOUNT.fullmatch(account) is None:
        raise UsageError("the part after the @ is not an account", where=f"{scheme}://{container}", hint=form)
    return connection or None, container, account


def _options(query: str, known: Collection[str], *, where: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options.keys() - set(known):
        raise UsageError(
            f"there is no option {name[:30]!r}{did_you_mean(name, known)}",
            where=where,
            hint="options: " + ", ".join(sorted(known)) if known else "this URI takes no options",
        )
    return options
