"""An HTTP proxy on loopback that counts requests and spoils exactly one: cuts its answer off, or gives another.

`proxy` changes bytes as they pass; this one knows where a request and its answer end.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urlsplit

from emulators.process import HOST

_BODILESS = (b"204", b"304")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: its first line with all headers, and its body."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        """Its first line, without the protocol."""
        return self.head.partition(b" HTTP/1.1\r\n")[0].decode()

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return not self.head.startswith((b"GET ", b"HEAD "))

    @property
    def conditional(self) -> bool:
        """Whether it is a write under a condition."""
        head = self.head.lower()
        return self.writes and any(
            each in head for each in (b"\nif-match:", b"\nif-none-match:", b"ifgenerationmatch=")
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request.

    Attributes:
        name: for the reader.
        performed: whether the server gets it.
        answer: what the client gets in place of the server's answer; None cuts the connection.
    """

    name: str
    performed: bool
    answer: bytes | None


@dataclass(slots=True)
class Wire:
    """A running proxy.

    Attributes:
        url: where it listens.
        requests: all since `rest` or `spoil` was called last.
    """

    url: str
    requests: list[Request] = field(default_factory=list)
    _number: int = 0
    _fault: Fault | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rest(self) -> None:
        """Let everything pass, and count anew."""
        with self._lock:
            self.requests, self._fault = [], None

    def spoil(self, number: int, fault: Fault) -> None:
        """Count anew, and do this to one request, counted from 1."""
        with self._lock:
            self.requests, self._number, self._fault = [], number, fault

    def take(self, request: Request) -> Fault | None:
        """Count a request; return what is to happen to it."""
        with self._lock:
            self.requests.append(request)
            return self._fault if len(self.requests) == self._number else None


@contextmanager
def wired(url: str) -> Iterator[Wire]:
    """Stand before the server at `url` until the block ends."""
    target = urlsplit(url)
    with socket.create_server((HOST, 0)) as listener:
        wire = Wire(f"http://{HOST}:{listener.getsockname()[1]}")

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.create_connection((target.hostname, target.port))
                    threading.Thread(target=_serve, args=(wire, client, server), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield wire
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(wire: Wire, client: socket.socket, server: socket.socket) -> None:
    for each in (client, server):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client, server, client.makefile("rb") as asked, server.makefile("rb") as answered, suppress(OSError, EOFError):
        while True:
            request = _request(client, asked)
            fault = wire.take(request)
            if fault is None or fault.performed:
                server.sendall(request.head + request.body)
                answer = _answer(answered, bodiless=request.head.startswith(b"HEAD "))
            if fault is not None and fault.answer is None:
                client.shutdown(socket.SHUT_RDWR)
                return
            client.sendall(answer if fault is None or fault.answer is None else fault.answer)


def _request(client: socket.socket, file: BinaryIO) -> Request:
    head = _head(file)
    wanted = b"expect: 100-continue\r\n"
    at = head.lower().find(wanted)
    if at >= 0:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = head[:at] + head[at + len(wanted) :]
    return Request(head, _body(file, head))


def _answer(file: BinaryIO, *, bodiless: bool) -> bytes:
    head = _head(file)
    return head if bodiless or head.split(b" ", 2)[1] in _BODILESS else head + _body(file, head)


def _head(file: BinaryIO) -> bytes:
    lines = []
    while (line := file.readline()) != b"\r\n":
        if not line:
            raise EOFError
        lines.append(line)
    return b"".join([*lines, line])


def _body(file: BinaryIO, head: bytes) -> bytes:
    headers = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if line)
    if b"chunked" not in headers.get(b"transfer-encoding", b""):
        return file.read(int(headers.get(b"content-length", b"0")))
    read = b""
    while True:
        size = file.readline()
        read += size + file.read(int(size, 16) + 2)
        if int(size, 16) == 0:
            return read
