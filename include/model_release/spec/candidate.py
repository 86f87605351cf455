"""A candidate: one recipe of a spec. Names and values alone, since DAG files read specs at every parse."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from model_release.documents.base import Strict
from model_release.spec.estimators import EstimatorName
from model_release.spec.search import Search

_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


def _named_by_module(name: str) -> str:
    if not _FACTORY.fullmatch(name):
        raise ValueError("a function is named module:function, such as churn_model.recipes:build")
    return name


FactoryName = Annotated[str, AfterValidator(_named_by_module)]
"""`churn_model.recipes:build`: a function of a package that the deployment allows."""


class Candidate(Strict):
    """One recipe that is trained and judged: an estimator behind the usual preparation, or a pipeline of one's own.

    Attributes:
        estimator: scikit-learn's own by name, any other by import path.
        pipeline: in place of an estimator, the function that returns an unfitted scikit-learn Pipeline, or an estimator
            that takes a frame of the model's inputs.
        preprocessor: before the estimator, the function that returns an unfitted transformer of a frame of the model's
            inputs, in place of the usual preparation.
        parameters: of the estimator, or arguments of the pipeline's function; `step__parameter` reaches inside. A
            mapping with `estimator`, and `parameters` if it has any, is an estimator in it.
        seed: each `random_state` that the recipe leaves open, and the search's own chance.
        search: for parameters beside these; what it finds is the recipe that is released.
    """

    estimator: EstimatorName | None = None
    pipeline: FactoryName | None = None
    preprocessor: FactoryName | None = None
    parameters: dict[str, JsonValue] = {}
    seed: int = Field(42, ge=0)
    search: Search | None = None

    @model_validator(mode="after")
    def _one_maker(self) -> Self:
        if (self.estimator is None) == (self.pipeline is None):
            raise ValueError("a candidate has an estimator, or a pipeline of your own: name one of the two")
        if self.pipeline is not None and self.preprocessor is not None:
            raise ValueError("preprocessor stands before an estimator; a pipeline brings its own")
        twice = sorted(self.search.space.keys() & self.parameters.keys()) if self.search else []
        if twice:
            raise ValueError(f"{', '.join(twice)}: in parameters and in search.space; write it in one of them")
        return self

    def samples(self) -> list[Candidate]:
        """Return recipes by which a candidate is known: itself, or with the first and last values of its search."""
        if self.search is None:
            return [self]
        return [
            self.model_copy(update={"parameters": {**self.parameters, **each}, "search": None})
            for each in self.search.corners()
        ]

    @property
    def made_by(self) -> str:
        """The name of the estimator, or of the function that makes the pipeline."""
        return self.estimator or self.pipeline or ""

    @property
    def prepares_itself(self) -> bool:
        """Whether it takes the inputs as they are, by code that this package knows nothing of."""
        return self.estimator is None or self.preprocessor is not None
