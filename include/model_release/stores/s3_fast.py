"""The quick way to S3: whole small objects and ranges of large ones through obstore, a third of the SDK's cost.

Used by `s3` and `s3_bodies` alone. It answers, or says that it has no answer and the SDK is to be asked: whatever goes
wrong here is asked again there, where errors get their words. It sends what the SDK's client would, with that client's
endpoint and current credentials; a client with anything that cannot be mirrored here (a proxy, its own authorities, a
signature of another kind) has no quick way.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

import obstore
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import get_environ_proxies
from obstore.exceptions import BaseError
from obstore.store import S3Store as Requests

from model_release.transfer import TransferSettings

T = TypeVar("T")

_PROCESS = os.getpid()
"""obstore's threads do not follow a fork."""

_PROBE = "key"


class Fast:
    """A bucket's objects by requests that either succeed or leave the SDK to say why not; all methods are thread-safe.

    Args:
        client: boto3's client for S3.
        bucket: its name.
        settings: of the transfers.
    """

    def __init__(self, client: Any, bucket: str, settings: TransferSettings) -> None:
        self._client = client
        self._bucket = bucket
        self._settings = settings

    @cached_property
    def _requests(self) -> Requests | None:
        return _mirror(self._client, self._bucket, self._settings)

    def put(self, name: str, body: bytes, *, content_type: str, cache_control: str) -> bool:
        """Write an object with its SHA-256, which S3 checks; whether it was written."""
        headers = {
            "Content-Type": content_type,
            "Cache-Control": cache_control,
            "Storage-Class": self._settings.storage_class,
        }
        kept = {header: value for header, value in headers.items() if value}
        tags = self._settings.tags or None
        sent = self._ask(lambda of: obstore.put(of, name, body, attributes=kept, tags=tags, use_multipart=False))
        return sent is not None

    def get(self, name: str, limit: int) -> memoryview | None:
        """Read an object of up to `limit` bytes, checked by its ETag, which is the MD5 of what was sent in one request.

        Where keys of KMS encrypt it is not, which only the bytes tell; then the SDK gets all further requests.
        """
        found = self._ask(lambda of: obstore.get(of, name))
        if found is None or found.meta["size"] > limit or "-" in (found.meta["e_tag"] or "-"):
            return None
        body = self._ask(lambda _: memoryview(found.bytes()))
        if body is not None and found.meta["e_tag"] != f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"':
            self._requests = body = None
        return body

    def get_range(self, name: str, first: int, size: int, etag: str) -> memoryview | None:
        """Read some bytes of the state that `etag` names. The caller checks them."""
        wanted: Any = {"range": (first, first + size), "if_match": etag}
        return self._ask(lambda of: memoryview(obstore.get(of, name, options=wanted).bytes()))

    def _ask(self, request: Callable[[Requests], T]) -> T | None:
        """Send one request; None where it failed. After a fault of the service the SDK gets all further ones."""
        requests = self._requests if os.getpid() == _PROCESS else None
        if requests is None:
            return None
        try:
            return request(requests)
        except (FileNotFoundError, obstore.exceptions.PreconditionError):
            return None
        except (BaseError, BotoCoreError, ClientError, OSError):
            self._requests = None
            return None


def _mirror(client: Any, bucket: str, settings: TransferSettings) -> Requests | None:
    """Return what sends requests as the client does, None where it cannot."""
    try:
        credentials = client._request_signer._credentials  # no public name leads to what a hook's client signs with
        trusted = client._endpoint.http_session._verify
        url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": _PROBE})
    except (AttributeError, BotoCoreError, ClientError):
        return None
    parts, config = urlsplit(url), client.meta.config
    endpoint, path = f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix(f"/{_PROBE}")
    connect, read = settings.timeouts
    patience = settings.deadline - connect - read  # what is left when the SDK needs all of an attempt after this one
    if (
        path not in ("", f"/{bucket}")
        or (parts.scheme == "https" and trusted is not True)
        or config.signature_version != "s3v4"
        or config.client_cert
        or config.proxies
        or get_environ_proxies(url)
        or ".s3express-" in parts.netloc
        or credentials is None
        or patience < 1
    ):
        return None

    def current() -> Any:
        frozen = credentials.get_frozen_credentials()  # the SDK renews them ten minutes before they end
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + timedelta(minutes=10),
        }

    encryption: Any = {
        "server_side_encryption": settings.sse or ("aws:kms" if settings.kms_key else None),
        "sse_kms_key_id": settings.kms_key,
    }
    return Requests(
        bucket,
        endpoint=endpoint,
        region=client.meta.region_name,
        virtual_hosted_style_request=not path,
        skip_signature=False,
        checksum_algorithm="sha256",
        credential_provider=current,
        client_options={
            "allow_http": parts.scheme == "http",
            "connect_timeout": timedelta(seconds=connect),
            "timeout": timedelta(seconds=min(patience, connect + read)),
        },
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=patience)},
        **{name: value for name, value in encryption.items() if value},
    )
