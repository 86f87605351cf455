"""The spec's `tracking`: where MLflow keeps the history, and how it is reached."""

from __future__ import annotations

import os
from collections.abc import Callable
from string import Template
from typing import Self

from pydantic import PrivateAttr, field_validator, model_validator

from model_release.documents.base import Strict
from model_release.errors import UsageError
from model_release.spec import tracking_uri
from model_release.spec.environment import expand
from model_release.spec.tracking_uri import Access


class Tracking(Strict):
    """Where MLflow keeps the history. Without this section, nothing is tracked.

    Attributes:
        experiment: the experiment that has the nights' runs.
        registered_model: the model in the registry that has the versions.
        uri: `sqlite:////folder/mlflow.db`, a database, a server's `https://…`, `databricks`, or `airflow://conn_id`,
            what an Airflow connection leads to.
        registry_uri: where registered models are, if not there: `databricks-uc`.
        pages: where people see MLflow's pages, if tasks know the server by another address.
    """

    uri: str
    registry_uri: str | None = None
    pages: str | None = None
    experiment: str
    registered_model: str

    _look_up: Callable[[str], Access] | None = PrivateAttr(default=None)

    @field_validator("uri")
    @classmethod
    def _known_address(cls, uri: str) -> str:
        filled_in = Template(uri).safe_substitute(os.environ)
        if "${" not in filled_in:  # a variable that this process lacks is missed where it is needed
            tracking_uri.check(filled_in)
        return uri

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        self._check_names(Template(self.uri).safe_substitute(os.environ))
        return self

    @field_validator("pages")
    @classmethod
    def _web_page(cls, pages: str | None) -> str | None:
        if pages is not None and "${" not in pages and not pages.startswith(("https://", "http://")):
            raise ValueError("begins with https:// or http://")
        return pages

    def reached_by(self, look_up: Callable[[str], Access]) -> Tracking:
        """Return the same, with what finds address and credentials by the id of an Airflow connection."""
        found = self.model_copy()
        found._look_up = look_up
        return found

    @property
    def has_pages(self) -> bool:
        """Whether people can open a run's page, as far as can be told without looking anything up."""
        uri = Template(self.uri).safe_substitute(os.environ)
        return self.pages is not None or uri.startswith(("http", "airflow:"))

    def pages_address(self) -> str | None:
        """Return what the address of each of MLflow's pages begins with; None where there are none.

        That is where MLflow is a database, and the spec names no pages.
        """
        if self.pages is not None:
            return expand(self.pages, where="tracking.pages").rstrip("/") + "/#"
        access = self.access()
        if tracking_uri.is_databricks(access.uri):
            workspace = access.environment.get("DATABRICKS_HOST")
            return f"{workspace.rstrip('/')}/ml" if workspace else None
        uri = access.uri
        return tracking_uri.without_credentials(uri).rstrip("/") + "/#" if uri.startswith("http") else None

    def access(self) -> Access:
        """Return how MLflow is reached; the environment's values are filled in, a connection is looked up.

        Raises:
            SpecError: the environment lacks a variable.
            UsageError: MLflow cannot keep its history there, or only Airflow knows where that is.
        """
        where = "tracking.uri"
        found = Access(expand(self.uri, where=where))
        connection = tracking_uri.connection_id(found.uri)
        if connection is not None:
            if self._look_up is None:
                raise UsageError(
                    f"only Airflow's tasks know the connection {connection}",
                    where=where,
                    hint="write ${MLFLOW_TRACKING_URI} into the spec: airflow://… in Airflow, and in a terminal the "
                    "server's own address, with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD beside it",
                )
            found = self._look_up(connection)
        try:
            tracking_uri.check(found.uri)
            self._check_names(found.uri)
        except ValueError as error:
            raise UsageError(str(error), where=where) from error
        return found

    def _check_names(self, uri: str) -> None:
        names = {"experiment": self.experiment, "registered_model": self.registered_model}
        tracking_uri.check_names(uri, registry_uri=self.registry_uri, **names)
