"""The spec's `notify`: through which channels people are told of what became of a model, and of which events."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from model_release.documents.base import Strict

Event = Literal["released", "published", "rejected", "failed", "late", "rolled back", "lagging", "findings"]
"""What people may be told of. `published`: a version that is not live; `findings`: doctor's."""

EVENTS: Final[tuple[Event, ...]] = get_args(Event)

Address = Annotated[str, StringConstraints(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]


class Channel(Strict):
    """One way to tell people.

    Attributes:
        to: `slack`: an incoming webhook of Slack; `email`: by SMTP; `webhook`: the event as JSON, by HTTP POST.
        connection: id of the Airflow connection: of type `slackwebhook`, `smtp` (its extra names `from_email`) or
            `http`.
        addresses: of people, for `email`.
        endpoint: path below the address of the connection, for `webhook`.
        on: the events; by default, all of them.
    """

    to: Literal["slack", "email", "webhook"]
    connection: str = Field(pattern=r"^[\w.-]+$")
    addresses: list[Address] = []
    endpoint: str = Field("", pattern=r"^[\w./~-]*$")
    on: list[Event] = Field([*EVENTS], min_length=1)

    @model_validator(mode="after")
    def _keys_of_kind(self) -> Self:
        if self.to == "email" and not self.addresses:
            raise ValueError("email needs addresses, a list of whom it goes to")
        if self.to != "email" and self.addresses:
            raise ValueError(f"addresses are for email, and this channel is {self.to}")
        if self.to != "webhook" and self.endpoint:
            raise ValueError(f"endpoint is for webhook, and this channel is {self.to}")
        return self

    @property
    def name(self) -> str:
        """What messages call the channel: `slack ml_alerts`."""
        return f"{self.to} {self.connection}{f' {self.endpoint}' if self.endpoint else ''}"
