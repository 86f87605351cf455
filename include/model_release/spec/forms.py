"""The forms that a release must have: the part of a model's spec that says what its consumers can load."""

from __future__ import annotations

from typing import Literal

from model_release.documents.base import Strict


class Forms(Strict):
    """What consumers need of a release. Each has the pickled form, and the ONNX form if that answers alike.

    Attributes:
        require: `onnx`: a candidate without an ONNX form is rejected, for consumers that load no pickle; `any`: either
            form will do. None: what today's consumers have: ONNX if the live version has it.
    """

    require: Literal["onnx", "any"] | None = None
