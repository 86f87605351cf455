"""URIs of cloud stores: every form that is read, every mistake that is named, no secret that is repeated."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from model_release.errors import UsageError
from model_release.spec.transfer import TransferSettings
from model_release.stores.uris import StoreUri, parse

READ = {
    "s3://models": StoreUri("s3", None, "models", None, ""),
    "s3://models/": StoreUri("s3", None, "models", None, ""),
    "s3://aws_default@models/team/a/": StoreUri("s3", "aws_default", "models", None, "team/a"),
    "gs://my.bucket_1/team": StoreUri("gs", None, "my.bucket_1", None, "team"),
    "gs://google-eu@models": StoreUri("gs", "google-eu", "models", None, ""),
    "wasb://models/team": StoreUri("wasb", None, "models", None, "team"),
    "wasb://azure@models/team": StoreUri("wasb", "azure", "models", None, "team"),
    "wasb://models@acc.blob.core.windows.net/a": StoreUri("wasb", None, "models", "acc.blob.core.windows.net", "a"),
    "wasb://azure@models@acc": StoreUri("wasb", "azure", "models", "acc", ""),
    "wasb://@models@devstoreaccount1": StoreUri("wasb", None, "models", "devstoreaccount1", ""),
}


@pytest.mark.parametrize("uri", READ)
def test_forms(uri: str) -> None:
    assert parse(uri) == READ[uri]


def test_options() -> None:
    parts = parse("s3://models/a?region=eu-west-1&endpoint_url=http://127.0.0.1:9", known=("region", "endpoint_url"))
    assert parts.options == {"region": "eu-west-1", "endpoint_url": "http://127.0.0.1:9"}
    assert parts.prefix == "a"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("s3:///prefix", "bucket"),
        ("s3://", "bucket"),
        ("s3://a@b@c", "bucket"),
        ("s3://models/a/../b", r"\.\."),
        ("s3://models#part", "fragment"),
        ("s3://models?regoin=x", "did you mean 'region'"),
        ("s3a://models", "s3://"),
        ("abfss://models@account", "wasb://"),
        ("ftp://models", "no cloud"),
        ("models", "no cloud"),
    ],
)
@pytest.mark.refuses("URIs of specs")
def test_mistakes(uri: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(uri, known=("region",))


@pytest.mark.parametrize("uri", ["s3://key:hidden@models/a", "wasb://models@acc/a?sig=hidden", "hidden-key"])
def test_no_secret_is_repeated(uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(uri.replace("hidden-key", "s4://:hidden@models"))
    assert "hidden" not in str(caught.value)


def test_one_attempt_fits_into_the_deadline() -> None:
    assert TransferSettings().timeouts == (5.0, 30.0)
    assert TransferSettings(deadline=4.0).timeouts == (2.0, 2.0)


@pytest.mark.parametrize(
    "wrong", [{"deadlin": 3.0}, {"attempts": 0}, {"sse": "AES256", "kms_key": "k"}, {"sse": "none"}]
)
def test_wrong_settings(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TransferSettings.model_validate(wrong)
