"""`python -m model_release.documents.schemas`: write the JSON Schemas."""

from __future__ import annotations

import sys

from model_release.documents.schemas import write

for path in write():
    sys.stdout.write(f"{path}\n")
