"""The names of the figures that candidates are measured by; which there are, and which way is better, a task knows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Metric = Annotated[str, Field(min_length=1, max_length=100)]
"""`accuracy`, `rmse`; after a slash the class or the quantile that a figure is of: `recall/stays`, `pinball/0.9`."""
