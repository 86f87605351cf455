"""Which stores a command works on: one folder named by its URI, or all destinations of a model's spec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from model_release.documents import layout
from model_release.errors import UsageError
from model_release.releases.store import Follower
from model_release.signing import SigningKey, key_of_environment, needed_key
from model_release.spec.load import load_spec
from model_release.spec.transfer import TransferSettings
from model_release.stores import Store, open_store
from model_release.stores.uris import without_connection
from model_release.workflows.destinations import Destinations

Also = Annotated[
    list[str] | None,
    typer.Option("--also", metavar="URI", help="The same folder at another destination; may be repeated."),
]


@dataclass(frozen=True)
class Model:
    """The model that a command works on: a group of options."""

    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model's folder at home, such as s3://bucket/heart-disease-models; or its spec, heart_disease.yaml: "
            "then every destination.",
        ),
    ]
    also: Also = None

    def destinations(self) -> Destinations:
        """Open the model's destinations with this machine's own credentials.

        Raises:
            UsageError: neither a URI nor a spec.
            SpecError: the spec is broken.
        """
        if Path(self.model).suffix in (".yaml", ".yml") and "://" not in self.model:
            if self.also:
                raise UsageError("a spec names all of its destinations", where=self.model, hint="leave --also out")
            return Destinations.of(load_spec(Path(self.model)), open_without_airflow)
        followers = [Follower(open_store(uri)) for uri in self.also or []]
        return Destinations(open_store(self.model), followers, data=lambda: open_store(_dataset_uri(self.model)))


def _dataset_uri(model_uri: str) -> str:
    """Return the dataset's folder that lies beside a model's folder: `<root>/datasets/<name>`."""
    folder, mark, query = model_uri.partition("?")
    root, _, name = folder.rstrip("/").rpartition("/")
    return layout.join(root + mark + query, "datasets", name.removesuffix("-models"))


def signing_key(destinations: Destinations) -> SigningKey | None:
    """Return the key of this machine's environment; None if it has none and none is needed.

    Raises:
        UsageError: the model's releases are signed, and there is no key here.
    """
    return needed_key(destinations.signing.connection) if destinations.signing else key_of_environment()


def open_without_airflow(uri: str, settings: TransferSettings) -> Store:
    """Open a store of a spec with this machine's own credentials, in place of an Airflow connection's."""
    return open_store(without_connection(uri), settings)
