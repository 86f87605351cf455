"""What a released model answers: a probability, a class with the probabilities of all, or a number.

The release tells it, so that every form and every door of a consumer answers alike without knowing how it was trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import Field

from model_release.documents.base import Value

LABEL = "label"
PROBABILITY = "probability"
VALUE = "value"


class Column(NamedTuple):
    """One column of the answers.

    Attributes:
        name: of the ONNX form's output, and of the services' answers.
        kind: `integer`, `number` or `text`.
    """

    name: str
    kind: Literal["integer", "number", "text"]


class Output(Value):
    """What a model answers.

    Attributes:
        task: the name of the task that it was trained for.
        form: `probability`: of the positive class, and the label 1 or 0. `classes`: the label in words, and a
            probability for each class. `value`: a number.
        classes: the classes in words, in the order of the model's own codes 0, 1, …; none for a `value`.
        threshold: of the form `probability`: a row is labelled 1 above it.
        unit: of a `value`, in words.
    """

    task: str
    form: Literal["probability", "classes", "value"]
    classes: list[str] = []
    threshold: float = Field(default=0.5, gt=0, lt=1)
    unit: str = ""

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
                yield Column(VALUE, "number")


POSITIVE = Output(task="binary", form="probability")
"""What a release answers whose manifest tells no output: those of binary models, before there were other tasks."""
