"""Where notices arrive: a web server for Slack and webhooks, and a mail server, each with what it was sent."""

from __future__ import annotations

import http.server
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from emulators.process import HOST, free_ports
from emulators.served import served


@dataclass
class Receivers:
    """What was sent, in order.

    Attributes:
        url: of the web server; `mail_port` is the mail server's.
        posted: path and body of each request that was answered with success.
        refused: how many were not.
        refuse: the status that the next requests are answered with, by path.
        mails: with envelope addresses in `X-To`.
    """

    url: str = ""
    mail_port: int = 0
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: int = 0
    refuse: dict[str, int] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)

    def connections(self) -> dict[str, str]:
        """Return the connections that lead here, as variables of the environment."""
        smtp = {"from_email": "airflow@example.org", "disable_ssl": True, "disable_tls": True, "retry_limit": 1}
        found = {
            "SLACK_ML": {"conn_type": "slackwebhook", "host": f"{self.url}/services", "password": "T0/B0/a-secret"},
            "HOOK": {"conn_type": "http", "host": self.url},
            "MAIL": {"conn_type": "smtp", "host": "127.0.0.1", "port": self.mail_port, "extra": smtp},
        }
        return {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in found.items()}


CHANNELS: list[dict[str, Any]] = [
    {"to": "slack", "connection": "slack_ml"},
    {"to": "email", "connection": "mail", "addresses": ["ml@example.org", "ops@example.org"]},
    {"to": "webhook", "connection": "hook", "endpoint": "events"},
]
"""A spec's `notify` with a channel of each kind."""


@contextmanager
def receivers() -> Iterator[Receivers]:
    """Receive notices until the block ends."""
    found = Receivers(mail_port=free_ports(1)[0])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status = found.refuse.get(self.path, 200)
            if status == 200:
                found.posted.append((self.path, body))
            else:
                found.refused += 1
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    class Mails:
        async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
            mail = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
            assert isinstance(mail, EmailMessage)
            mail["X-To"] = ", ".join(envelope.rcpt_tos)
            found.mails.append(mail)
            return "250 OK"

    mail = Controller(Mails(), hostname=HOST, port=found.mail_port)
    with served(Handler) as found.url:
        mail.start()
        try:
            yield found
        finally:
            mail.stop()
