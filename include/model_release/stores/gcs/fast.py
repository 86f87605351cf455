"""The quick way to read from Google Cloud Storage: urllib3 alone, without the additions of the SDK's session.

It has the session's credentials and authorities. A session with anything that cannot be mirrored (a proxy, a client
certificate, adapters of its own) has no quick way, and one whose token has just run out is asked itself: it knows how
to get the next one.
"""

from __future__ import annotations

import http
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
import requests.adapters
import urllib3
from google.api_core import exceptions as api
from google.auth.transport.requests import Request


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a read: headers, with names in any case, and the whole body."""

    headers: Mapping[str, str]
    body: bytes


class FastReads:
    """Reads of whole objects and of ranges; thread-safe.

    Args:
        session: of the SDK's client.
        endpoint: of the service, such as https://storage.googleapis.com.
        timeouts: connect and read, in seconds.
        workers: how many requests are under way at once.
    """

    def __init__(self, session: Any, endpoint: str, timeouts: tuple[float, float], *, workers: int) -> None:
        self._session = session
        self._endpoint = endpoint
        self._host = "{0.scheme}://{0.netloc}".format(urlsplit(endpoint))
        self._timeouts = urllib3.Timeout(*timeouts)
        self._workers = workers

    def get(self, url: str, headers: Mapping[str, str], limit: int) -> Response | None:
        """Read what `url` names, up to one byte more than `limit`; None if the session is to be asked instead.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: the service says no.
            urllib3.exceptions.HTTPError: it says nothing.
        """
        if self._pool is None:
            return None
        sent = dict(headers)
        self._session.credentials.before_request(self._refreshing, "GET", url, sent)
        answer = self._pool.urlopen(
            "GET",
            url.removeprefix(self._host),
            headers=sent,
            timeout=self._timeouts,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        if answer.status < http.HTTPStatus.MULTIPLE_CHOICES:
            body = answer.read(limit + 1)
            if len(body) > limit:
                answer.close()  # the rest stays unread, and its connection is of no more use
            answer.release_conn()
            return Response(answer.headers, body)
        if answer.status == http.HTTPStatus.UNAUTHORIZED:
            answer.drain_conn()
            return None
        asked = requests.Request("GET", url).prepare()
        told = requests.adapters.HTTPAdapter().build_response(asked, answer)
        raise api.from_http_response(told)  # type: ignore[no-untyped-call]

    @cached_property
    def _pool(self) -> urllib3.HTTPConnectionPool | None:
        found = self._session.merge_environment_settings(self._endpoint, {}, None, None, None)
        mirrored = (
            type(self._session.get_adapter(self._endpoint)) is requests.adapters.HTTPAdapter
            and requests.utils.select_proxy(self._endpoint, found["proxies"]) is None
            and found["cert"] is None
            and found["verify"] is not False
        )
        if not mirrored:
            return None
        authorities = certifi.where() if found["verify"] is True else found["verify"]
        return urllib3.PoolManager(maxsize=self._workers, ca_certs=authorities).connection_from_url(self._host)

    @cached_property
    def _refreshing(self) -> Request:
        return Request()
