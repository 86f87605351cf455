"""Logs as JSON, a line each, without anything that a request held.

A library's exception may quote a value that was sent, so an exception is logged by its type and the places that it went
through, never by its words. A failure of the store or of a release is logged in words, where it is caught.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

_OWN = {*logging.LogRecord("", 0, "", 0, "", (), None).__dict__, "message", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """Formats a log record as one JSON object; fields of `extra` stand beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in record.__dict__.items() if name not in _OWN},
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            line["exception"] = kind.__name__
            line["at"] = [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(trace)]
        return json.dumps(line, default=str, ensure_ascii=False)


def log_as_json() -> None:
    """Send all logs to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
