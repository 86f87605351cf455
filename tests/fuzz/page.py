"""The routes of the Releases page as a door: addresses and forms, as a user of Airflow who may do everything.

For callers that have set Airflow up in their process before.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fuzz.doors import Door, check_words

FINE = range(200, 400)


def page_door(ask: Callable[..., Any], pages: list[str], form: dict[str, str]) -> Door:
    """Return the door.

    Args:
        ask: sends a request to a path below the page, as a user.
        pages: paths that exist, with their queries.
        form: the fields of an act, as the page has made them.
    """
    posted = "&".join(f"{name}={value}" for name, value in form.items())
    samples = [*(f"GET {each}" for each in pages), f"POST {form['page']} {posted}"]

    def enter(body: bytes) -> bool:
        method, _, rest = body.decode("latin-1").partition(" ")
        path, _, fields = rest.partition(" ")
        address = "/" + quote(path.lstrip("/"), safe="/?&=%~.-_+:@")
        if method == "POST":
            data = dict(each.partition("=")[::2] for each in fields.split("&"))
            answer = ask(address, method="POST", data={k: v for k, v in data.items() if k != "page"})
        else:
            answer = ask(address)
        if answer.status_code in FINE:
            return True
        if answer.status_code == 500:
            raise AssertionError("the page failed")
        check_words(html.unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.text).split())))
        return False

    return Door([each.encode() for each in samples], enter, slow=10)
