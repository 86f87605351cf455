"""How a notice goes out: through the notifier of the channel's provider, and an Airflow connection.

The notifiers are called past their templates: a notice holds words from data and people, which are no template.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier

    from model_release.spec.notify import Channel
    from model_release.workflows.notices import Notice

SECONDS = 10
"""How long a receiver may take to answer; of a mail server the connection's extra says it."""


def notifier_of(channel: Channel, notice: Notice) -> BaseNotifier:
    """Return what sends a notice through a channel: `notify({})`, or in a coroutine `async_notify({})`."""
    match channel.to:
        case "slack":
            from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

            return SlackWebhookNotifier(
                slack_webhook_conn_id=channel.connection, text=notice.slack, unfurl_links=False, timeout=SECONDS
            )
        case "email":
            from airflow.providers.smtp.notifications.smtp import SmtpNotifier

            return SmtpNotifier(
                smtp_conn_id=channel.connection,
                to=channel.addresses,
                subject=notice.subject,
                html_content=notice.mail,
            )
        case "webhook":
            from airflow.providers.http.notifications.http import HttpNotifier

            return HttpNotifier(
                http_conn_id=channel.connection,
                endpoint=channel.endpoint,
                json=notice.to_json(),
                extra_options={"timeout": SECONDS},
            )


def in_words(error: Exception) -> str:
    """Return why a notice could not be sent, without the words of the error: an address may be its own secret."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    if isinstance(error, AirflowNotFoundException):
        return "Airflow has no such connection: create it under Admin → Connections"
    status = re.match(r"\d{3}\b", str(error))
    return f"{type(error).__name__}{f', HTTP status {status[0]}' if status else ''}"
