"""A search for a recipe's parameters: the space, the budget and the method. Values alone, for specs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from model_release.documents.base import Strict


class Range(Strict):
    """A range of numbers, both ends included; of whole ones if both ends are whole.

    Attributes:
        low: the smallest.
        high: the largest.
        log: whether each decade is as likely as the next.
    """

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError("on a log scale, low is above 0")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether its numbers are whole."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Choices = Annotated[list[JsonValue], Field(min_length=1)]


class Search(Strict):
    """A search within the rows that each model is fitted to, by folds of these rows.

    Attributes:
        space: by parameter, a list of its values or a range.
        trials: how many recipes are tried for each fit; the same ones for the same rows.
        seconds: in place of trials, the time for all fits of a candidate; what it finds depends on the machine.
        method: `random`, or `optuna`: its tree-structured Parzen estimator.
    """

    space: dict[str, Choices | Range] = Field(min_length=1)
    trials: int | None = Field(None, ge=1, le=10_000)
    seconds: float | None = Field(None, gt=0)
    method: Literal["random", "optuna"] = "random"

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if (self.trials is None) == (self.seconds is None):
            raise ValueError("write trials or seconds, one of the two")
        return self

    def corners(self) -> list[dict[str, JsonValue]]:
        """Return the first and the last value of each parameter."""
        return [
            {
                name: each[place] if isinstance(each, list) else (each.low, each.high)[place]
                for name, each in self.space.items()
            }
            for place in (0, -1)
        ]
