"""What a released model answers: a probability, a class with the probabilities of all, or a number.

The release tells it, so that every form and every door of a consumer answers alike without knowing how it was trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from model_release.documents.base import Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL = "label"
PROBABILITY = "probability"
VALUE = "value"
LOWER = "lower"
UPPER = "upper"


class Column(NamedTuple):
    """One column of the answers.

    Attributes:
        name: of the ONNX form's output, and of the services' answers.
        kind: `integer`, `number` or `text`.
    """

    name: str
    kind: Literal["integer", "number", "text"]


class Interval(Value):
    """The bounds that each predicted number has: as far below it as above, on the scale that the model was fitted on.

    Attributes:
        level: the share of new rows whose target shall lie between them.
        reach: from the number to either bound, on that scale.
        transform: from the target's unit to that scale; None if it is the same.
    """

    level: float = Field(gt=0, lt=1)
    reach: float = Field(ge=0)
    transform: Literal["log", "log1p"] | None = None

    def bounds(self, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the lower and the upper bound of each of some predicted numbers, in the target's unit."""
        match self.transform:
            case None:
                return values - self.reach, values + self.reach
            case "log":
                return values * math.exp(-self.reach), values * math.exp(self.reach)
            case "log1p":
                return (values + 1) * math.exp(-self.reach) - 1, (values + 1) * math.exp(self.reach) - 1


class Output(Value):
    """What a model answers.

    Attributes:
        task: the name of the task that it was trained for.
        form: `probability`: of the positive class, and the label 1 or 0. `classes`: the label in words, and a
            probability for each class. `value`: a number.
        classes: the classes in words, in the order of the model's own codes 0, 1, …; none for a `value`.
        threshold: of the form `probability`: a row is labelled 1 above it.
        unit: of a `value`, in words.
        interval: the bounds of a `value`; None if it has none.
    """

    task: str
    form: Literal["probability", "classes", "value"]
    classes: list[str] = []
    threshold: float = Field(default=0.5, gt=0, lt=1)
    unit: str = ""
    interval: Interval | None = None

    @property
    def columns(self) -> list[Column]:
        """The columns of the answers, in the order of the ONNX form's outputs."""
        return [*self._columns()]

    def _columns(self) -> Iterator[Column]:
        match self.form:
            case "probability":
                yield Column(LABEL, "integer")
                yield Column(PROBABILITY, "number")
            case "classes":
                yield Column(LABEL, "text")
                for words in self.classes:
                    yield Column(f"{PROBABILITY}_{words}", "number")
            case "value":
                for name in [VALUE, *([LOWER, UPPER] if self.interval else [])]:
                    yield Column(name, "number")


POSITIVE = Output(task="binary", form="probability")
"""What a release answers whose manifest tells no output: those of binary models, before there were other tasks."""
