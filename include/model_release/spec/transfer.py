"""What a destination may set about its transfers: how long, how often, how parallel, and how the bytes are kept.

A destination in a model's spec carries one; the cloud stores read it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from model_release.documents.base import Strict
from model_release.documents.layout import check_key, check_name

Seconds = Annotated[float, Field(gt=0, le=3600)]


class TransferSettings(Strict):
    """Time-outs, retries, parallelism, encryption and tags of one destination. Fields that a cloud lacks must be unset.

    Attributes:
        connect_timeout: for one connection to be made, in seconds.
        read_timeout: for the next bytes of an answer, in seconds; `timeouts` keeps both within the deadline.
        deadline: for one small request with all of its attempts, in seconds. A body of many parts may take longer, as
            long as each part keeps to it.
        attempts: how often one request is sent, the first time included.
        workers: how many parts of one large file travel at once.
        sse: S3's server-side encryption; None leaves it to the bucket.
        kms_key: the key for `aws:kms` (id or ARN), or Cloud KMS's resource name on Google Cloud Storage.
        encryption_scope: Azure's.
        tags: put on every object that is written: S3 object tags, Azure blob index tags, GCS custom metadata.
        storage_class: S3's and GCS's storage class, Azure's access tier; None leaves it to the bucket.
    """

    connect_timeout: Seconds = 5.0
    read_timeout: Seconds = 30.0
    deadline: Seconds = 60.0
    attempts: int = Field(default=3, ge=1, le=10)
    workers: int = Field(default=8, ge=1, le=64)
    sse: Literal["AES256", "aws:kms"] | None = None
    kms_key: str | None = None
    encryption_scope: str | None = None
    tags: dict[str, str] = Field(default={}, max_length=10)
    storage_class: str | None = None

    _names_of_others: bool = PrivateAttr(default=False)

    @property
    def timeouts(self) -> tuple[float, float]:
        """Connect and read time-out of one attempt, in seconds, cut so that one attempt fits into the deadline."""
        connect = min(self.connect_timeout, self.deadline / 2)
        return connect, min(self.read_timeout, self.deadline - connect)

    def for_reading(self) -> TransferSettings:
        """Return the settings of a store that others write and that is only read.

        They are the time-outs, retries and parallelism, which every store understands, and they let its objects have
        names that this package would not give.
        """
        names = ("connect_timeout", "read_timeout", "deadline", "attempts", "workers")
        settings = TransferSettings(**{name: getattr(self, name) for name in names})
        settings._names_of_others = True
        return settings

    @property
    def names_of_others(self) -> bool:
        """Whether the store's objects may have names that this package would not give."""
        return self._names_of_others

    def check(self, key: str) -> str:
        """Return the key if it is safe: by `layout.check_key`, or for a store that others write by `check_name`."""
        return check_name(key) if self._names_of_others else check_key(key)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.sse == "AES256" and self.kms_key is not None:
            raise ValueError("a kms_key goes with sse: aws:kms, not with AES256")
        return self
