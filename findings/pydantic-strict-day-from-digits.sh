#!/usr/bin/env bash
# pydantic 2.14.3: a `date` in strict mode, read from JSON.
# Expected: a day in ISO 8601, "2026-11-30", and nothing else.
# Seen: a text of digits is taken for seconds since 1970 where those end at midnight: "1795996800" is 2026-11-30.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.3
cd "$folder"
venv/bin/python - <<'PYTHON'
from datetime import date

import pydantic


class Release(pydantic.BaseModel, strict=True):
    trained_date: date


seen = {}
for text in ("2026-11-30", "1795996800", "0", "20261130"):
    try:
        seen[text] = str(Release.model_validate_json(f'{{"trained_date": "{text}"}}').trained_date)
    except pydantic.ValidationError as error:
        seen[text] = error.errors()[0]["type"]
print(f"pydantic {pydantic.VERSION}: {seen}")
assert seen == {
    "2026-11-30": "2026-11-30", "1795996800": "2026-11-30", "0": "1970-01-01", "20261130": "date_parsing"
}, "this has changed"
PYTHON
