"""Whether the addresses in a spec can work and hold no secret, found without opening any of them. For `lint`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, urlsplit

from model_release.errors import SpecError, UsageError
from model_release.spec.model import Spec
from model_release.stores import folder_of
from model_release.stores.uris import SCHEMES, parse

_PASSWORD = re.compile(r"//[^/@\s:]*:(?!\$\{)[^/@\s]+@")


def check_destinations(spec: Spec) -> None:
    """Find out whether each destination has an address of its own that a store answers to.

    A URI with a variable that this process lacks is not looked at.

    Raises:
        SpecError: an address cannot work, holds a password, is that of another destination, or is in a store that the
            deployment does not allow.
    """
    seen: dict[object, str] = {}
    for each in spec.destinations:
        uri = Template(each.uri).safe_substitute(os.environ)
        if "${" in uri:
            continue
        where = f"destinations: {each.name}"
        try:
            place = _place(uri)
        except UsageError as error:
            raise SpecError(f"{where}: {error.what}", hint=error.hint) from error
        if place in seen:
            raise SpecError(
                f"{where}: its URI is that of {seen[place]} too, and a release would be written there twice",
                hint="leave one of them out, or give it another bucket or prefix",
            )
        seen[place] = each.name
        spec.model_uri(each)


def check_source(spec: Spec) -> None:
    """Find out whether the deployment allows the source of the data.

    A URI with a variable that this process lacks is not looked at.

    Raises:
        SpecError: it does not.
    """
    source = spec.dataset.source
    if not isinstance(source, str) or "${" not in Template(source).safe_substitute(os.environ):
        spec.source_uri()


def passwords(spec: Spec) -> Iterator[str]:
    """Yield a warning for each password that stands in the spec's own text; the password is not repeated."""
    addresses = {"dataset.source": spec.dataset.source, "tracking.uri": spec.tracking.uri if spec.tracking else None}
    for key, address in addresses.items():
        if isinstance(address, str) and _PASSWORD.search(address):
            yield f"{key}: the URI holds a password: write ${{VARIABLE}} for it, and set the variable for each process"


def _place(uri: str) -> object:
    """Return what tells a destination's place from any other.

    Raises:
        UsageError: no store that can be written to answers to the URI.
    """
    parts = urlsplit(uri)
    if parts.scheme in SCHEMES:
        found = parse(uri, known=parse_qs(parts.query))
        return found.scheme, found.connection, found.container, found.account, found.prefix
    if parts.scheme == "file":
        return folder_of(uri).resolve()
    if parts.scheme in ("http", "https"):
        raise UsageError("a web address is only read from", hint="name a bucket, a container or a folder")
    if parts.scheme:
        raise UsageError(
            f"no store answers to {parts.scheme}://",
            hint="stores: file:///folder, s3://bucket, gs://bucket, wasb://container@account",
        )
    if not Path(uri).is_absolute():
        raise UsageError(
            "a relative path depends on the folder that each process was started in",
            hint="write the whole path: file:///srv/models",
        )
    return Path(uri).resolve()
