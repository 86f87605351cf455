"""The one error tree, sorted by the action of the caller.

    ModelReleaseError            exit 1
    ├── Retry                    exit 75   the same call may pass later
    │   ├── StoreUnavailable               no answer, throttled, or a server fault
    │   ├── OutcomeUnknown                 a conditional write whose answer was lost: never clean up after it
    │   └── Contended                      others won every attempt that this call was allowed
    ├── Redo                     exit 75   read the pointer again and begin again
    │   └── BaselineMoved                  another version became live since the verdict
    └── Stop                     exit 1    the same call will fail for ever
        ├── NotFound             exit 1    the version, model or object is not there
        │   └── NoModel          exit 1    the folder has no pointer: nothing was released there, or the pointer is lost
        ├── UsageError           exit 2    the request itself makes no sense
        │   ├── SpecError        exit 2    a model's spec is broken
        │   └── UnsafeKey        exit 2    a name that may not become an object key
        ├── Refused              exit 3    a rule of a release says no
        ├── CredentialsRefused   exit 4    the store does not permit this identity to do it
        └── Corrupt              exit 5    bytes differ from their digest, or a document is not valid
            ├── UnknownFormat    exit 5    a newer version of this package wrote it, in a format of its own
            └── DataInvalid      exit 5    a dataset breaks its rules; carries the report

Airflow's retry policy, the command line's exit status and every `except` in the project go by this tree.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_CREDENTIALS = 4
EXIT_CORRUPT = 5
EXIT_DOCTOR = 6
EXIT_LAGGING = 7
EXIT_TOO_OLD = 8
EXIT_TRY_AGAIN = 75
EXIT_INTERRUPTED = 130


class ModelReleaseError(Exception):
    """Base of everything this package raises on purpose.

    Args:
        what: the event, in words, without secrets.
        where: the object, file or setting it happened to.
        hint: the next step.
    """

    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  → {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by class and fields, so that the error survives a process boundary whole."""
        return (_rebuild, (type(self), self.__dict__, self.args))


def _rebuild(kind: type[ModelReleaseError], fields: dict[str, object], args: tuple[object, ...]) -> ModelReleaseError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    error.args = args
    return error


class Retry(ModelReleaseError):
    """The same call may pass later."""

    exit_code = EXIT_TRY_AGAIN


class StoreUnavailable(Retry):
    """The store gave no answer, was throttled, or failed on its side."""


class OutcomeUnknown(Retry):
    """A conditional write was sent and its answer was lost. It may have happened; nothing is cleaned up."""


class Contended(Retry):
    """Other writers won every attempt that this call was allowed."""


class Redo(ModelReleaseError):
    """The caller's knowledge is out of date: read the pointer again and begin again."""

    exit_code = EXIT_TRY_AGAIN


class BaselineMoved(Redo):
    """Another version has become live since the verdict was reached."""


class Stop(ModelReleaseError):
    """The same call will fail for ever; a person or another call is needed."""


class NotFound(Stop):
    """The version, model or object is not there."""


class NoModel(NotFound):
    """The folder has no pointer: nothing was released there, or the pointer is lost."""


class UsageError(Stop):
    """The request itself makes no sense."""

    exit_code = EXIT_USAGE


class SpecError(UsageError):
    """A model's spec is broken."""


class UnsafeKey(UsageError):
    """A name that may not become an object key."""


class Refused(Stop):
    """A rule of a release says no."""

    exit_code = EXIT_REFUSED


class CredentialsRefused(Stop):
    """The store does not permit this identity to do it."""

    exit_code = EXIT_CREDENTIALS


class Corrupt(Stop):
    """Bytes differ from their digest, or a document is not valid."""

    exit_code = EXIT_CORRUPT


class UnknownFormat(Corrupt):
    """A newer version of this package wrote the document, in a format of its own: nothing is wrong with it."""


class DataInvalid(Corrupt):
    """A dataset breaks its rules.

    Args:
        report: one mapping per finding: `file`, `row` (line in the file, counted from 1), `column`, `rule`, `value`.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        report: list[dict[str, object]] | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.report = report or []
