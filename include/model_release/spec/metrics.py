"""The metrics that a spec brings beside its task's own: a scorer of scikit-learn, or a function of the team's."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from model_release.documents.base import Strict

FUNCTION = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
"""`package.module:function`."""

Function = Annotated[str, Field(pattern=FUNCTION)]


class OwnMetric(Strict):
    """A figure by which candidates are measured beside those of the task.

    Attributes:
        scorer: its name in scikit-learn. Of `neg_…` less is better, and the figure is without that sign.
        function: `package.module:function` of an allowed package, from a frame and predictions to a number.
        better: which way is, of a function.
    """

    scorer: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None
    function: Function | None = None
    better: Literal["higher", "lower"] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.scorer is None) == (self.function is None):
            raise ValueError("name either a scorer of scikit-learn or a function")
        if (self.function is None) != (self.better is None):
            raise ValueError("better: higher or lower, is for a function; a scorer's name tells it")
        return self

    @property
    def less_is_better(self) -> bool:
        """Whether it is an error, of which less is better."""
        return self.better == "lower" or (self.scorer or "").startswith("neg_")

    @property
    def source(self) -> str:
        """What measures it."""
        return self.function or self.scorer or ""
