"""The quick way to S3. For the modules of `s3`; `stores.fast` says what it is for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import get_environ_proxies
from obstore.store import S3Store as Requests

from model_release.spec.transfer import TransferSettings
from model_release.stores.fast import Fast

if TYPE_CHECKING:
    from obstore import GetResult

_PROBE = "key"


class S3Fast(Fast):
    """A bucket's objects; a written object carries its SHA-256, which S3 checks.

    Args:
        client: botocore's client for S3.
        bucket: its name.
        settings: of the transfers.
    """

    failures = (BotoCoreError, ClientError)

    def __init__(self, client: Any, bucket: str, settings: TransferSettings) -> None:
        self._client = client
        self._bucket = bucket
        self._settings = settings

    def _promised(self, found: GetResult) -> tuple[str, str] | None:
        """Its ETag, which is the MD5 of an object that was sent in one request, except with keys of KMS."""
        etag = found.meta["e_tag"] or "-"
        return None if "-" in etag else ("md5", etag.strip('"'))

    def _mirror(self) -> Requests | None:
        client, bucket, settings = self._client, self._bucket, self._settings
        try:
            credentials = client._request_signer._credentials  # no public name has the credentials
            trusted = client._endpoint.http_session._verify
            url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": _PROBE})
        except (AttributeError, BotoCoreError, ClientError):
            return None
        parts, config = urlsplit(url), client.meta.config
        endpoint, path = f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix(f"/{_PROBE}")
        connect, read = settings.timeouts
        patience = settings.deadline - connect - read  # the rest if the SDK needs a whole attempt after this
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
