"""The quick way to Azure, for reading. For `azure.store`; `stores.fast` says what it is for.

obstore tells no Content-MD5, and sends none for the service to check. So writing is left to the SDK, which notes the
SHA-256 of a file of one request as metadata of its blob, and that is what a whole blob is checked by here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerClient
from obstore.store import AzureStore as Requests
from requests.utils import get_environ_proxies

from model_release.spec.transfer import TransferSettings
from model_release.stores.fast import Fast

if TYPE_CHECKING:
    from obstore import GetResult

SHA256 = "model_release_sha256"
"""Name of the metadata. Azure wants an identifier."""

_SCOPE = "https://storage.azure.com/.default"


class AzureFast(Fast):
    """A container's blobs.

    Args:
        container: the SDK's client.
        settings: of the transfers.
    """

    failures = (AzureError,)

    def __init__(self, container: ContainerClient, settings: TransferSettings) -> None:
        self._container = container
        self._settings = settings

    def _promised(self, found: GetResult) -> tuple[str, str] | None:
        digest = found.attributes.get(SHA256)
        return None if digest is None else ("sha256", digest)

    def _mirror(self) -> Requests | None:
        container, settings = self._container, self._settings
        parts = urlsplit(container.url)
        connect, read = settings.timeouts
        patience = settings.deadline - connect - read  # the rest if the SDK needs a whole attempt after this
        signing = _signing(container.credential, parts.query)
        if (
            not _connects_as_usual(container)
            or get_environ_proxies(container.url)
            or container.location_mode != "primary"
            or container.account_name is None
            or signing is None
            or patience < 1
        ):
            return None
        return Requests(
            container.container_name,
            account_name=container.account_name,
            endpoint=f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix(f'/{container.container_name}')}",
            credential_provider=signing,
            client_options={
                "allow_http": parts.scheme == "http",
                "connect_timeout": timedelta(seconds=connect),
                "timeout": timedelta(seconds=min(patience, connect + read)),
            },
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=patience)},
        )


def _connects_as_usual(container: Any) -> bool:
    """Whether a client has neither a proxy nor certificates of its own; no public name leads to how it connects."""
    try:
        transport, proxies = container._pipeline._transport, container._config.proxy_policy.proxies
        connection = getattr(transport, "_transport", transport).connection_config  # a hook's client lends its own
    except AttributeError:
        return False
    return connection.verify is True and not connection.cert and not proxies


def _signing(credential: Any, sas: str) -> Any:
    """Return a source of the SDK's current credential for obstore; None for an unknown kind."""

    def token() -> Any:
        given = credential.get_token(_SCOPE)
        return {"token": given.token, "expires_at": datetime.fromtimestamp(given.expires_on, UTC)}

    def shared() -> Any:
        return {"access_key": credential.account_key, "expires_at": None}

    if hasattr(credential, "get_token"):
        return token
    if hasattr(credential, "account_key"):
        return shared
    return (lambda: {"sas_token": sas, "expires_at": None}) if sas and credential is None else None
