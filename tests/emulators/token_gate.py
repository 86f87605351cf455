"""What stands before a managed MLflow: whoever shows the right bearer token passes, and nobody else."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from emulators.served import served

TOKEN = "dapi-secret-31fe07"  # noqa: S105 - of an emulator on loopback

_NOT_PASSED_ON = {"authorization", "connection", "host", "transfer-encoding", "content-length"}


@contextmanager
def token_gate(url: str, *, user: str, password: str) -> Iterator[str]:
    """Stand before the server at `url`, which asks for a login, until the block ends; yields the gate's own address."""
    target = urlsplit(url)
    login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    class Gate(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._answer(403, {}, b'{"error_code": "PERMISSION_DENIED", "message": "Invalid access token."}')
                return
            kept = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
            server = http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)
            server.request(self.command, self.path, body, {**kept, "Authorization": login})
            answer = server.getresponse()
            self._answer(answer.status, dict(answer.getheaders()), answer.read())
            server.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _NOT_PASSED_ON:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 - names of the standard library's

        def log_message(self, *_: object) -> None:
            pass

    with served(Gate) as url:
        yield url
