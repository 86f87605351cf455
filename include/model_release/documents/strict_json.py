"""The one reading of JSON, for every document: UTF-8, no key twice, no number that JSON does not have.

Two readers that keep different ones of two equal keys read two documents out of one signature. The standard library
and pydantic both keep the last without a word.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn


class RepeatedKey(ValueError):
    """An object has a key twice."""


def read_json(body: bytes) -> Any:
    """Return the value that a JSON text in UTF-8 stands for.

    Raises:
        RepeatedKey: an object in it has a key twice; the message says which.
        ValueError: it is no JSON, or nested too deep; the message says which.
    """
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        raise ValueError("no text in UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (key, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise RepeatedKey(f"the key {key[:100]!r} stands twice in one object")
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
