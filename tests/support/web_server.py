"""A web server with the files of a folder, which counts what it gives and can be told to misbehave."""

from __future__ import annotations

import hashlib
import http.server
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from emulators.served import served


@dataclass
class Shop:
    """What it serves, and what it was asked.

    Attributes:
        folder: the files.
        url: of the folder.
        asked: path and status of each request, in order.
        queries: of each request.
        sent: bytes of bodies that were sent, by path.
        chunk: bytes that are sent at once; before each, `delay` seconds are waited.
        before: called with the path before it is looked at; may raise to hang up.
    """

    folder: Path
    url: str = ""
    asked: list[tuple[str, int]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    chunk: int = 1024 * 1024
    delay: float = 0.0
    before: Callable[[str], None] = lambda _path: None

    def forget(self) -> None:
        """Begin to count anew."""
        self.asked.clear()
        self.queries.clear()
        self.sent.clear()

    def paths(self) -> list[str]:
        """Return what was asked for, sorted."""
        return sorted(path for path, _ in self.asked)


@contextmanager
def shop(folder: Path) -> Iterator[Shop]:
    """Serve a folder until the block ends. It knows ETags and ranges, and lists nothing."""
    counted = Shop(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.removeprefix("/models/").partition("?")
            path = unquote(path)
            try:
                counted.before(path)
            except ConnectionError:
                self.close_connection = True
                return
            file = counted.folder / path
            body = file.read_bytes() if file.is_file() else b""
            etag = f'"{hashlib.sha256(body).hexdigest()}"'
            first = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
            part = body[int(first) :]
            status = 404 if not file.is_file() else 304 if self.headers.get("If-None-Match") == etag else 200
            if status == 200 and "Range" in self.headers:
                status = 206
            counted.asked.append((path, status))
            counted.queries.append(query)
            self.send_response(status)
            self.send_header("ETag", etag)
            self.send_header("Last-Modified", "Sun, 22 Nov 2026 02:00:00 GMT")
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(part) if status < 300 else 0))
            self.end_headers()
            if status < 300:
                self._send(path, part)

        def _send(self, path: str, part: bytes) -> None:
            with suppress(ConnectionError):
                for start in range(0, len(part), counted.chunk):
                    time.sleep(counted.delay)
                    chunk = part[start : start + counted.chunk]
                    self.wfile.write(chunk)
                    counted.sent[path] = counted.sent.get(path, 0) + len(chunk)

        def log_message(self, format: str, *args: object) -> None:
            """Keep a test's output clean."""

    with served(Handler) as url:
        counted.url = f"{url}/models"
        yield counted
