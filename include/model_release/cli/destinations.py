"""Which stores a command works on: one folder named by its URI, or all destinations of a model's spec."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model_release.errors import UsageError
from model_release.releases.store import Follower
from model_release.signing import SigningKey, key_of_environment, needed_key
from model_release.spec.load import load_spec
from model_release.spec.transfer import TransferSettings
from model_release.stores import Store, open_store
from model_release.stores.uris import without_connection
from model_release.workflows.destinations import Destinations

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model's folder at home, such as s3://bucket/heart-disease-models; or its spec, heart_disease.yaml: "
        "then every destination.",
    ),
]
Also = Annotated[
    list[str] | None,
    typer.Option("--also", metavar="URI", help="The same folder at another destination; may be repeated."),
]


def open_destinations(model: str, also: list[str] | None = None) -> Destinations:
    """Open a model's destinations with this machine's own credentials.

    Args:
        model: the URI of the model's folder at home, or the path of its spec.
        also: URIs of the same folder at other destinations.

    Raises:
        UsageError: neither a URI nor a spec.
        SpecError: the spec is broken.
    """
    if Path(model).suffix in (".yaml", ".yml") and "://" not in model:
        if also:
            raise UsageError("a spec names all of its destinations", where=model, hint="leave --also out")
        return Destinations.of(load_spec(Path(model)), open_without_airflow)
    return Destinations(open_store(model), [Follower(open_store(uri)) for uri in also or []])


def signing_key(destinations: Destinations) -> SigningKey | None:
    """Return the key of this machine's environment; None where it has none and none is needed.

    Raises:
        UsageError: the model's releases are signed, and there is no key here.
    """
    return needed_key(destinations.signing.connection) if destinations.signing else key_of_environment()


def open_without_airflow(uri: str, settings: TransferSettings) -> Store:
    """Open a store of a spec with this machine's own credentials, in place of an Airflow connection's."""
    return open_store(without_connection(uri), settings)
