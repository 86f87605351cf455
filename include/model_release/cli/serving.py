"""The command that serves: predictions over HTTP by what is live."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from model_release.cli.app import app
from model_release.client.memory import age
from model_release.errors import UsageError


@app.command()
def serve(
    uri: Annotated[
        str,
        typer.Argument(
            metavar="URI",
            envvar="MODEL_RELEASE_URI",
            help="A model's folder in a store, or a folder that `pull` filled; that one is served as it is.",
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            envvar="MODEL_RELEASE_TO",
            help="Where copies are kept, so that a restart without the store finds one; else a temporary folder.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(envvar="MODEL_RELEASE_LISTEN_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="MODEL_RELEASE_LISTEN_PORT", help="To listen on.", min=0, max=65535)
    ] = 8080,
    every: Annotated[
        float, typer.Option(envvar="MODEL_RELEASE_EVERY", help="Seconds between two polls of the store.", min=0.1)
    ] = 15.0,
    trust: Annotated[
        Path | None,
        typer.Option(
            envvar="MODEL_RELEASE_TRUST",
            help="A public key or a certificate; a release that it did not sign is not served.",
        ),
    ] = None,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle",
            envvar="MODEL_RELEASE_ALLOW_PICKLE",
            help="Open the pickled pipeline of a release without an ONNX form. It may run any code.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            envvar="MODEL_RELEASE_STRICT",
            help="Fail at the start where the store cannot be reached, although there is a copy.",
        ),
    ] = False,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            envvar="MODEL_RELEASE_SHARED",
            help="Keep copies in --to even if another user owns it, or every user may write to it.",
        ),
    ] = False,
    max_age: Annotated[
        str | None,
        typer.Option(
            envvar="MODEL_RELEASE_MAX_AGE",
            help="Refuse a release that was trained longer ago, such as 36h or 7d; one that grows older is served on "
            "as trouble.",
        ),
    ] = None,
    min_epoch: Annotated[
        int | None,
        typer.Option(envvar="MODEL_RELEASE_MIN_EPOCH", help="Refuse a latest.json of a lower epoch.", min=1),
    ] = None,
    report_to: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            envvar="MODEL_RELEASE_REPORT_TO",
            help="Say which version is served: `store` (its folder consumers/), the URI of a folder, or https://…",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(envvar="MODEL_RELEASE_LABEL", help="Who reports; else the name of this host."),
    ] = None,
    max_body: Annotated[
        int, typer.Option(envvar="MODEL_RELEASE_MAX_BODY", help="Longest body of a request, in bytes.", min=1)
    ] = 10_000_000,
    drain: Annotated[
        float,
        typer.Option(
            envvar="MODEL_RELEASE_DRAIN",
            help="Seconds that it goes on after SIGTERM, while /readyz sends new requests elsewhere.",
            min=0,
        ),
    ] = 2.0,
) -> None:
    """Serve what is live, and follow `latest` without failing a request. Logs are JSON lines on stderr."""
    try:
        from model_release.serving.running import Settings, is_release, serve_folder, serve_store
    except ModuleNotFoundError as error:
        raise UsageError(
            f"serving needs {error.name}, which is not installed", hint="install model-release with its extra 'serve'"
        ) from None
    settings = Settings(
        host=host,
        port=port,
        every=every,
        trust=trust,
        allow_pickle=allow_pickle,
        strict=strict,
        max_body=max_body,
        drain=drain,
        shared=shared,
        max_age=age(max_age) if max_age is not None else None,
        min_epoch=min_epoch,
        report_to=report_to,
        label=label,
    )
    if "://" not in uri and is_release(Path(uri)):
        serve_folder(Path(uri), settings)
    elif to is not None:
        serve_store(uri, to, settings)
    else:
        with tempfile.TemporaryDirectory(prefix="model-release-") as copies:
            serve_store(uri, Path(copies), settings)
