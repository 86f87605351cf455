"""`POST /predict`: the service's own protocol. An object by column is one row; an array of objects is many."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from model_release.serving.endpoint import Encoded, Request
from model_release.serving.served import Classified, Estimated, Prediction, Served


class Predictions(msgspec.Struct, frozen=True):
    """The response: model, version, and one prediction for each row."""

    model: str
    version: str
    predictions: Sequence[Prediction | Classified | Estimated]


def predict(served: Served, request: Request) -> Encoded:
    """Answer rows with what the model of this task says of each."""
    found = served.predict(served.schema.read(request.body))
    return Encoded(msgspec.json.encode(Predictions(served.name, served.version, found)), len(found))
