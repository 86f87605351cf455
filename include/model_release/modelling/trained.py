"""What training a candidate leaves for the tasks after it: its files' names, and its facts as one document.

`training` makes it. The tasks that only read it do not import what trains.
"""

from __future__ import annotations

from pydantic import Field

from model_release.documents.base import Document, Value
from model_release.documents.evaluation import Costs, Design, Interval, Scores
from model_release.documents.manifest import FileEntry, MachineFacts, TrackedRun
from model_release.documents.output import Output
from model_release.spec.candidate import Candidate

MODEL_FILE = "best_model.pkl"
PREPROCESSOR_FILE = "preprocessor.pkl"
MLMODEL_FILE = "MLmodel"
CARD_FILE = "model_card.html"
PREDICTIONS_FILE = "predictions.parquet"
"""Out-of-fold predictions; for the model card, not part of a release."""

ONNX_INPUT = "inputs"
"""The one input: double, a row per case, a column per model input in the spec's order; NaN = missing."""


class Effect(Value):
    """One column's part in a model's predictions.

    Attributes:
        importance: rise of the holdout's loss when the column's values are shuffled among its rows.
        at: values of the column, in its own unit; empty for a column that does not count among the first.
        response: mean prediction if every row had that value: the positive class's probability, or a number.
    """

    column: str
    importance: Interval
    at: list[float | str] = []
    response: list[float] = []


class Trained(Document):
    """What training one candidate gave.

    Attributes:
        recipe: what was fitted: as the spec has it, or as a search has found it.
        design: how rows were split and measured: the same for every candidate of a run.
        searched: how the recipe's parameters were found, in words; None if the spec names them.
        files: what a release of this candidate consists of, apart from the card.
        output: what it answers, by which threshold.
        onnx: how well the ONNX form agrees, or why there is none, in words.
        varies: how two fits to the same rows differ, in words; None if they gave the same bytes.
        seconds: wall time of fits and exports.
        machine: on what it was fitted.
        requirements: the packages that its pickles need, each with its version; empty if an older version trained it.
        costs: what it costs to serve.
        effects: what the model makes of each column, the one that counts most first; empty without a holdout.
    """

    name: str
    recipe: Candidate
    searched: str | None = None
    scores: Scores
    design: Design
    files: list[FileEntry]
    predictions: FileEntry | None
    output: Output
    onnx: str
    varies: str | None = None
    seconds: float = Field(ge=0)
    mlflow: TrackedRun | None = None
    machine: MachineFacts | None = None
    costs: Costs | None = None
    effects: list[Effect] = []
    requirements: dict[str, str] = {}

    @property
    def made(self) -> list[FileEntry]:
        """Every file that training wrote."""
        return [*self.files, *([self.predictions] if self.predictions else [])]
