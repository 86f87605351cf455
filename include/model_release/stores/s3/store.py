"""The S3 store: `s3://bucket/prefix`, on AWS and on servers that speak its language.

Opened by `stores.open_store` with the default credentials, and by `airflow_glue` with the client of a connection.

Every write carries its SHA-256, which S3 checks before it keeps a byte. A request is repeated here and not by the SDK:
of conditional writes, only what cannot have been carried out.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote, urlencode, urlsplit

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session

from model_release.documents import limits
from model_release.errors import UsageError
from model_release.spec.transfer import TransferSettings
from model_release.stores.base import OCTETS, Entry, Lost, Outcome, Stored, Won
from model_release.stores.faults import Asked, attempts, clock
from model_release.stores.parts import new_file
from model_release.stores.s3.errors import CONDITION_FAILED, GONE, Effect, S3Error, code_of, effect_of, translate
from model_release.stores.s3.fast import S3Fast
from model_release.stores.s3.multipart import COPY_LIMIT, NEW, PART, READ, WRITE, Bodies, Json, base64_of, unless_there
from model_release.stores.uris import parse_here

if TYPE_CHECKING:
    from obstore.store import ObjectStore

OPTIONS = ("endpoint_url", "region")

T = TypeVar("T")


def client_config(settings: TransferSettings, *, path_style: bool = False) -> Config:
    """Return the SDK's settings for a client of `S3Store`: our time-outs, no repeats of its own.

    A connection's own configuration takes it in by `Config.merge`.
    """
    connect, read = settings.timeouts
    bounded = Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=max(10, settings.workers),
    )
    return bounded.merge(Config(s3={"addressing_style": "path"})) if path_style else bounded


def open_default(uri: str, settings: TransferSettings) -> S3Store:
    """Open a store with the SDK's default credentials.

    Args:
        uri: `s3://bucket[/prefix]`, with `?endpoint_url=…` and `?region=…` where the environment does not say so.
        settings: of the transfers.

    Raises:
        UsageError: not such a URI.
    """
    parts = parse_here(uri, known=OPTIONS)
    endpoint, region = parts.options.get("endpoint_url"), parts.options.get("region")
    session = get_session()  # boto3 makes the same client, and loads much besides

    def client(*, path_style: bool) -> Any:
        config = client_config(settings, path_style=path_style)
        return session.create_client("s3", region_name=region, endpoint_url=endpoint, config=config)

    opened = client(path_style=False)
    if not _is_aws(opened.meta.endpoint_url):  # the environment or the profile may have named the endpoint
        opened = client(path_style=True)
    return S3Store(opened, parts.container, parts.prefix, settings=settings)


class S3Store:
    """A folder of a bucket as a `Store`.

    Args:
        client: botocore's client for S3, as boto3 makes it too, made with `client_config`.
        bucket: its name.
        prefix: of every key, without a slash at its ends; empty for the whole bucket.
        settings: of the transfers.

    Raises:
        UsageError: a setting that S3 does not have.
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "", *, settings: TransferSettings | None = None) -> None:
        self.settings = settings or TransferSettings()
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")
        self._client = client
        self._bucket = bucket
        self._root = f"{prefix}/" if prefix else ""
        if self.settings.encryption_scope is not None:
            raise UsageError("encryption_scope is a setting of Azure", where=self.uri, hint="S3 has sse and kms_key")
        self._fast = S3Fast(client, bucket, self.settings)
        self._bodies = Bodies(client, bucket, self.uri, self.settings.workers, self._ask, self._fast)

    @property
    def quick(self) -> ObjectStore | None:
        """Give obstore's client of the bucket, with this endpoint and credentials; None if it cannot be made."""
        return self._fast.client

    def get(self, key: str) -> Stored | None:
        """Return a small object whole, or None if it does not exist."""
        name, limit = self._name(key), limits.largest(key)

        def read() -> Stored | None:
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=name, ChecksumMode="ENABLED")
            except ClientError as error:
                if code_of(error) in GONE:
                    return None
                raise
            with closing(found["Body"]) as body:
                limits.check_size(found["ContentLength"], limit, f"{self.uri}/{key}")
                return Stored(body.read(), found["ETag"], found["LastModified"].astimezone(UTC))

        return self._ask(key, READ, read)

    def create(self, key: str, body: bytes, *, content_type: str = OCTETS, cache_control: str = "") -> Outcome:
        """Write an object that must not exist yet."""
        return self._put_if(key, body, {"IfNoneMatch": "*"}, self._kept(content_type, cache_control))

    def replace(
        self, key: str, body: bytes, token: str, *, content_type: str = OCTETS, cache_control: str = ""
    ) -> Outcome:
        """Write an object that must still be in the state that `token` names: its ETag."""
        return self._put_if(key, body, {"IfMatch": token}, self._kept(content_type, cache_control))

    def upload(
        self, key: str, path: Path, *, content_type: str = OCTETS, cache_control: str = "", new: bool = False
    ) -> None:
        """Write a file of any size. Whole or not at all."""
        name, kept = self._name(key), self._kept(content_type, cache_control)
        condition = NEW if new else {}
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > PART:
                self._bodies.send(key, name, file, size, kept, new=new)
                return
            body = file.read()
        headers = {
            "Content-Type": content_type,
            "Cache-Control": cache_control,
            "Storage-Class": self.settings.storage_class,
        }
        if not new and self._fast.put(name, body, headers=headers, tags=self.settings.tags):
            return
        self._ask(key, WRITE, unless_there(lambda: self._put(name, body, kept | condition)))

    def download(self, key: str, path: Path, *, limit: int | None = None) -> None:
        """Read an object into a new file, which is removed again if that fails.

        Raises:
            NotFound: there is no such object.
            Corrupt: it has more than `limit` bytes, or the bytes that came are not those that were stored.
        """
        name = self._name(key)
        with new_file(path) as file:
            body = self._fast.get(name, PART if limit is None else min(PART, limit))
            if body is not None:
                file.write(body)
                return
            rest = self._ask(key, READ, lambda: self._bodies.receive_whole(key, name, file, limit))
            if rest is not None:
                self._bodies.receive_parts(key, name, file, rest)

    def copy(self, source: str, target: str, *, cache_control: str = "", new: bool = False) -> None:
        """Copy on S3's side.

        A new Cache-Control costs a second request: S3 changes one header only with all of them, so they are read first.

        Raises:
            NotFound: there is no such source.
        """
        origin, name = self._name(source), self._name(target)
        kept = {
            **self._kept("", ""),
            "TaggingDirective": "REPLACE",
        }  # copying tags would need more permissions
        kept |= NEW if new else {}
        if not cache_control and self._copy_whole(source, origin, name, kept):
            return
        head = self._ask(source, READ, lambda: self._client.head_object(Bucket=self._bucket, Key=origin))
        kept |= self._kept(head.get("ContentType", OCTETS), cache_control or head.get("CacheControl", ""))
        kept["Metadata"] = head.get("Metadata", {})
        if head["ContentLength"] > COPY_LIMIT:
            del kept["TaggingDirective"]
            self._bodies.copy(target, origin, name, head, kept, new=new)
        else:
            self._copy_whole(source, origin, name, kept | {"MetadataDirective": "REPLACE"})

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects whose key begins with `prefix`, in the order of their keys.

        S3 promises that order; servers that keep folders and S3's own directory buckets do not, hence the sorting.
        """
        yield from sorted(self._entries(prefix), key=lambda entry: entry.key)

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        name = self._name(key)
        self._ask(key, "s3:DeleteObject", lambda: self._client.delete_object(Bucket=self._bucket, Key=name))

    def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
        """Yield the keys of multipart uploads whose writer died; their parts are paid for until they are aborted."""
        request: Json = {"Bucket": self._bucket, "Prefix": self._root}
        while True:
            ask = partial(self._client.list_multipart_uploads, **request)
            page = self._ask("", "s3:ListBucketMultipartUploads", ask)
            for each in page.get("Uploads", []):
                if each["Initiated"] < before:
                    key = each["Key"].removeprefix(self._root)
                    if remove:
                        one = {"Bucket": self._bucket, "Key": each["Key"], "UploadId": each["UploadId"]}
                        self._ask(key, "s3:AbortMultipartUpload", partial(self._abort, one))
                    yield key
            if not page.get("IsTruncated"):
                return
            markers = ("KeyMarker", "UploadIdMarker")  # of which SeaweedFS gives the second alone
            request |= {each: page[f"Next{each}"] for each in markers if f"Next{each}" in page}

    def now(self) -> datetime:
        """Return the clock of S3, from the date of an answer, to the second."""

        def head() -> Json:
            try:
                return cast(Json, self._client.head_bucket(Bucket=self._bucket))
            except ClientError as error:
                if code_of(error) in GONE:
                    error.response["Error"]["Code"] = "NoSuchBucket"
                raise

        date = self._ask("", "s3:ListBucket", head)["ResponseMetadata"]["HTTPHeaders"].get("date")
        return clock(date, self.uri)

    def _name(self, key: str) -> str:
        return self._root + self.settings.check(key)

    def _kept(self, content_type: str, cache_control: str) -> Json:
        """Return the headers that are kept with an object."""
        settings = self.settings
        values = {
            "ContentType": content_type,
            "CacheControl": cache_control,
            "ServerSideEncryption": settings.sse or ("aws:kms" if settings.kms_key else None),
            "SSEKMSKeyId": settings.kms_key,
            "StorageClass": settings.storage_class,
            "Tagging": urlencode(settings.tags, quote_via=quote),
        }
        return {name: value for name, value in values.items() if value}

    def _put(self, name: str, body: bytes, more: Json) -> Json:
        sha256 = base64_of(hashlib.sha256(body).digest())
        return cast(
            Json,
            self._client.put_object(Bucket=self._bucket, Key=name, Body=body, ChecksumSHA256=sha256, **more),
        )

    def _put_if(self, key: str, body: bytes, condition: Json, kept: Json) -> Outcome:
        name = self._name(key)

        def put() -> Outcome:
            try:
                return Won(self._put(name, body, kept | condition)["ETag"])
            except ClientError as error:
                if code_of(error) in CONDITION_FAILED or ("IfMatch" in condition and code_of(error) in GONE):
                    return Lost()
                raise

        permission = "s3:PutObject" if "IfNoneMatch" in condition else "s3:PutObject, s3:GetObject"
        return self._ask(key, permission, put, conditional=True)

    def _copy_whole(self, source: str, origin: str, name: str, kept: Json) -> bool:
        """Copy in one request, or leave the existing object; False if S3 finds the object too large for that."""

        def request() -> bool:
            try:
                self._client.copy_object(
                    Bucket=self._bucket,
                    Key=name,
                    CopySource={"Bucket": self._bucket, "Key": origin},
                    ChecksumAlgorithm="SHA256",
                    **kept,
                )
            except ClientError as error:
                if code_of(error) == "InvalidRequest" and "MetadataDirective" not in kept:
                    return False
                if code_of(error) in CONDITION_FAILED and "IfNoneMatch" in kept:
                    return True
                raise
            return True

        return self._ask(source, "s3:GetObject, s3:PutObject", request)

    def _abort(self, upload: Json) -> None:
        try:
            self._client.abort_multipart_upload(**upload)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":  # its writer lives and has ended
                raise

    def _entries(self, prefix: str) -> Iterator[Entry]:
        request: Json = {"Bucket": self._bucket, "Prefix": self._root + prefix}
        while True:
            page = self._ask(prefix, "s3:ListBucket", partial(self._client.list_objects_v2, **request))
            for each in page.get("Contents", []):
                if not each["Key"].endswith("/"):  # what the console calls a folder
                    written = each["LastModified"].astimezone(UTC)
                    yield Entry(each["Key"].removeprefix(self._root), each["Size"], written)
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def _ask(self, key: str, permission: str, request: Callable[[], T], *, conditional: bool = False) -> T:
        """Send one request, again where that is safe and the deadline allows it; failures in the project's words."""
        began = time.monotonic()
        settings = self.settings
        again = (Effect.NONE,) if conditional else (Effect.NONE, Effect.UNKNOWN)
        try:
            return attempts(settings, lambda error: effect_of(error) in again)(request)
        except S3Error as error:
            raise translate(
                error,
                Asked(
                    where=f"{self.uri}/{key}",
                    container=self._bucket,
                    endpoint=_host(self._client.meta.endpoint_url),
                    permission=f"{permission} on arn:aws:s3:::{self._bucket}/{self._root}*",
                    conditional=conditional,
                    seconds=time.monotonic() - began,
                ),
            ) from error


def _is_aws(endpoint: str) -> bool:
    return (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _host(endpoint: str) -> str:
    """The endpoint without possible secrets."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
