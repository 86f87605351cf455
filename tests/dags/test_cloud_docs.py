"""What docs/clouds tells people to paste: Airflow reads each connection, and its provider's hook understands it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_release.spec.model import Destination

PAGES = Path(__file__).resolve().parents[2] / "docs" / "clouds"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CLOUDS = ("s3", "gcs", "azure")


def blocks(page: str, kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall((PAGES / f"{page}.md").read_text()) if found == kind]


def exported(page: str) -> list[tuple[str, str]]:
    """Every exported connection of a page, as a shell takes it: id and JSON."""
    pairs = [
        shlex.split(text)[1].partition("=") for text in blocks(page, "bash") if text.startswith("export AIRFLOW_CONN_")
    ]
    return [(name.removeprefix("AIRFLOW_CONN_").lower(), value) for name, _, value in pairs]


def facts(connection: Any) -> tuple[Any, ...]:
    known = (connection.conn_type, connection.host, connection.login, connection.password)
    return (*known, connection.extra_dejson)


@pytest.mark.parametrize("page", ["README", *CLOUDS, "folder"])
def test_a_page_is_short_and_what_it_shows_can_be_read(page: str) -> None:
    assert len((PAGES / f"{page}.md").read_text().splitlines()) < 150
    for text in blocks(page, "json"):
        json.loads(text)
    for text in blocks(page, "yaml"):
        for each in yaml.safe_load(text)["destinations"]:
            Destination.model_validate(each)


@pytest.mark.parametrize("page", CLOUDS)
def test_the_command_adds_the_connection_that_the_variable_is(page: str) -> None:
    from airflow.cli.cli_parser import get_parser
    from airflow.sdk import Connection

    (text,) = [text for text in blocks(page, "bash") if text.startswith("airflow connections add")]
    typed = get_parser().parse_args(shlex.split(text.replace("\\\n", ""))[1:])
    added = Connection(
        conn_id=typed.conn_id,
        conn_type=typed.conn_type,
        host=typed.conn_host,
        login=typed.conn_login,
        password=typed.conn_password,
        extra=typed.conn_extra,
    )
    name, value = exported(page)[0]
    assert typed.conn_id == name
    assert facts(added) == facts(Connection.from_json(value, conn_id=name))


@pytest.mark.parametrize(
    ("page", "number"), [(page, number) for page in CLOUDS for number in range(len(exported(page)))]
)
def test_the_hook_understands_every_connection(
    page: str, number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, value = exported(page)[number]
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", value)
    said = json.loads(value).get("extra", {})
    match page:
        case "s3":
            from airflow.providers.amazon.aws.hooks.s3 import S3Hook

            config = S3Hook(aws_conn_id=name).conn_config
            assert (config.region_name, config.endpoint_url) == (said["region_name"], said.get("endpoint_url"))
            assert (config.role_arn, config.assume_role_kwargs) == (
                said.get("role_arn"),
                said.get("assume_role_kwargs", {}),
            )
            if "role_arn" not in said:
                S3Hook(aws_conn_id=name).get_conn()
        case "gcs":
            from airflow.providers.google.cloud.hooks.gcs import GCSHook

            hook = GCSHook(gcp_conn_id=name)
            assert {each: hook._get_field(each) for each in said} == said
        case _:
            from airflow.providers.microsoft.azure.hooks.wasb import WasbHook

            client = WasbHook(wasb_conn_id=name).get_conn()
            assert client.url.startswith("https://myaccount.blob.core.windows.net/")
            assert client.account_name == "myaccount"
