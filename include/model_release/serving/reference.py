"""`/docs`: the OpenAPI document as a page, whole in itself. It has no script and loads nothing, from no host.

FastAPI's own page loads its scripts from a network of others, which then run beside the predictions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h3 { font: bold 1rem monospace; margin: 1.5rem 0 0.3rem; }
pre { background: #f4f4f4; padding: 0.8rem; overflow-x: auto; }
td { padding-right: 1rem; vertical-align: top; }
"""


def page(document: Mapping[str, Any]) -> str:
    """Return an OpenAPI document as HTML: each operation with its bodies, answers and examples, then the schemas."""
    info = document["info"]
    title = escape(str(info["title"]))
    operations = "".join(_operations(document["paths"]))
    schemas = "".join(
        f"<h3>{escape(name)}</h3>{_code(schema)}"
        for name, schema in document.get("components", {}).get("schemas", {}).items()
    )
    about = "".join(f"<p>{escape(each)}</p>" for each in str(info.get("description", "")).split("\n\n"))
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    link = '<p>For programs: <a href="openapi.json">openapi.json</a></p>'
    body = f"<h1>{title}</h1>{about}{link}{operations}<h2>Schemas</h2>{schemas}"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def _operations(paths: Mapping[str, Any]) -> Iterator[str]:
    tagged: dict[str, list[str]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            for tag in operation.get("tags") or ["Other"]:
                tagged.setdefault(tag, []).append(_operation(method, path, operation))
    for tag, told in tagged.items():
        yield f"<h2>{escape(tag)}</h2>{''.join(told)}"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    words = operation.get("description") or operation.get("summary") or ""
    bodies = operation.get("requestBody", {}).get("content", {})
    asked = "".join(f"<p>Takes <code>{escape(kind)}</code></p>{_code(body)}" for kind, body in bodies.items())
    answers = "".join(
        f"<tr><td>{escape(str(status))}</td><td>{escape(str(answer.get('description', '')))}</td></tr>"
        for status, answer in operation.get("responses", {}).items()
    )
    return f"<h3>{method.upper()} {escape(path)}</h3><p>{escape(words)}</p>{asked}<table>{answers}</table>"


def _code(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
