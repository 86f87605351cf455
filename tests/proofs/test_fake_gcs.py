"""A killed process and a lost answer, on Google Cloud Storage."""

from __future__ import annotations

from emulators.fake_gcs import fake_gcs
from proofs.clouds import Cloud


class TestFakeGcs(Cloud):
    """The suite."""

    name = "fake_gcs"
    kind = "gcs"
    serve = staticmethod(fake_gcs)
