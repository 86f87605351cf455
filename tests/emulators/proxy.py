"""A TCP proxy on loopback that may spoil what a server answers: cut it off, or change its bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from emulators.process import HOST


def _as_it_is(_request: bytes, answer: bytes) -> bytes | None:
    return answer


@dataclass(slots=True)
class Proxy:
    """A running proxy.

    Attributes:
        url: where it listens.
        spoil: takes the first bytes of the connection's last request and the bytes of an answer, and returns what the
            client gets instead; None cuts the connection.
    """

    url: str
    spoil: Callable[[bytes, bytes], bytes | None] = field(default=_as_it_is)


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """Stand before the server at `url` until the block ends."""
    target = urlsplit(url)
    with socket.create_server((HOST, 0)) as listener:
        proxy = Proxy(f"http://{HOST}:{listener.getsockname()[1]}")

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.create_connection((target.hostname, target.port))
                    threading.Thread(target=_serve, args=(proxy, client, server), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
    request = b""

    def ask() -> None:
        nonlocal request
        with suppress(OSError):
            while sent := client.recv(65536):
                request = sent if b" HTTP/1.1\r\n" in sent[:2000] else request
                server.sendall(sent)
            server.shutdown(socket.SHUT_WR)

    with closing(client), closing(server), suppress(OSError):
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        while answer := server.recv(65536):
            spoiled = proxy.spoil(request, answer)
            if spoiled is None:
                break
            client.sendall(spoiled)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        asking.join()
