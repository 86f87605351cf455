"""The rows of a database as partitions: one query for each day, its result kept as received. For `dataset` alone.

A day is asked for once. Its result lies in `raw/` under a digest of the question, so that a changed query, or a reason
to ask again, finds nothing there. Two runs that ask at the same time both go by the result that was kept first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as arrow
import pyarrow.feather as feather
import pyarrow.parquet as parquet

from model_release.documents.base import canonical_json, sha256_of
from model_release.errors import (
    CredentialsRefused,
    DataInvalid,
    ModelReleaseError,
    NotFound,
    SpecError,
    StoreUnavailable,
)
from model_release.spec.source import Query
from model_release.stores.base import Entry, Store

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

NAME = "query.parquet"
"""Of the one file of each partition."""

_BATCH = 10_000
"""Rows that are held as Python objects at a time."""

_READ_ONLY: dict[str, dict[str, Any]] = {"postgresql": {"postgresql_readonly": True}}
"""By dialect, what makes the database itself refuse to write; elsewhere no transaction is ever committed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class QuerySource:
    """A query as a source of partitions. A day that was not asked for yet is asked for when its file is read.

    Args:
        query: of the spec.
        partition: the key of the partitions' names.
        days: that have a partition.
        data: the dataset's folder at home.
        databases: opens the database of a connection; called for each day that is not kept.
    """

    def __init__(
        self, query: Query, *, partition: str, days: Sequence[date], data: Store, databases: Callable[[str], Engine]
    ) -> None:
        self.uri = f"sql://{query.sql}"
        self._query = query
        self._days = {f"{partition}={day.isoformat()}/{NAME}": day for day in days}
        self._data = data
        self._databases = databases

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield one file for each day; size and time are not known."""
        return (Entry(path, -1, _EPOCH) for path in self._days if path.startswith(prefix))

    def download(self, key: str, path: Path) -> None:
        """Write the rows of a day to `path`, as they were received once.

        Raises:
            SpecError: the database does not understand the query, or it would write.
            CredentialsRefused: the database does not let this login read.
            StoreUnavailable: no answer.
            DataInvalid: too many rows, or a column without one type.
        """
        day = self._days[key]
        question = {"sql": self._query.sql, "query": self._query.query, "reason": self._query.reason_to_refetch(day)}
        kept = f"raw/{key.removesuffix('.parquet')}-{sha256_of(canonical_json(question))[:12]}.parquet"
        try:
            self._data.download(kept, path)
        except NotFound:
            with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
                made = Path(scratch) / NAME
                fetch(self._databases(self._query.sql), self._query, day, made, where=f"{self.uri}, {key}")
                self._data.upload(kept, made, content_type="application/vnd.apache.parquet", new=True)
            self._data.download(kept, path)


def fetch(engine: Engine, query: Query, day: date, path: Path, *, where: str) -> None:
    """Ask a database for the rows of a day, in one transaction that only reads, and write them as Parquet.

    Rows come in batches through a cursor on the server, where the database has them. Each column has the one type of
    its values: numbers with a decimal point stay exact, instants are in UTC.

    Args:
        engine: of the database.
        query: is asked with the day as its parameter.
        day: of the partition.
        path: of the file.
        where: what errors are about.

    Raises:
        ModelReleaseError: as `QuerySource.download`; no message holds the connection's password.
    """
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    options = {"stream_results": True, "max_row_buffer": _BATCH, **_READ_ONLY.get(engine.dialect.name, {})}
    try:
        with engine.connect() as opened, tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
            connection: Connection = opened.execution_options(**options)
            with connection.begin() as transaction:
                result = connection.execute(text(query.query), {"day": day})
                names = list(result.keys())
                if twice := sorted({name for name in names if names.count(name) > 1}):
                    raise SpecError(f"the query returns {twice[0]!r} twice: name one of them AS something", where=where)
                parts: list[Path] = []
                rows, schema = 0, arrow.schema([(name, arrow.null()) for name in names])
                for batch in result.partitions(_BATCH):
                    rows += len(batch)
                    if rows > query.max_rows:
                        raise DataInvalid(
                            f"the query returns more than {query.max_rows:,} rows",
                            where=where,
                            hint="is the day part of its WHERE? else raise dataset.source.max_rows",
                        )
                    table = _table(names, batch, where)
                    schema = _wider(schema, table.schema, where)
                    parts.append(Path(scratch) / f"{len(parts)}.arrow")
                    feather.write_feather(table, parts[-1])
                transaction.rollback()
            with parquet.ParquetWriter(path, schema) as writer:
                for part in parts:
                    writer.write_table(feather.read_table(part).cast(schema))
    except DBAPIError as error:
        raise _explained(error, engine, where) from None  # its text may hold what the message leaves out


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]], where: str) -> arrow.Table:
    columns = []
    for name, cells in zip(names, zip(*rows, strict=True), strict=True):
        try:
            columns.append(arrow.array([_plain(cell) for cell in cells]))
        except arrow.ArrowException as error:
            raise _no_type(name, str(error).splitlines()[0], where) from error
    return arrow.table(columns, names=list(names))


def _plain(cell: Any) -> Any:
    """Return a cell as Arrow takes it: instants in UTC, identifiers as text, bytes as bytes."""
    match cell:
        case datetime() if cell.tzinfo is not None:
            return cell.astimezone(UTC)
        case UUID():
            return str(cell)
        case memoryview():
            return bytes(cell)
        case Decimal() if not cell.is_finite():
            return float(cell)
        case _:
            return cell


def _wider(known: arrow.Schema, new: arrow.Schema, where: str) -> arrow.Schema:
    """Return the schema that holds the values of both exactly: what is null takes the other's type, decimals widen."""
    fields = []
    for one, other in zip(known, new, strict=True):
        if one.type.equals(other.type) or arrow.types.is_null(other.type):
            fields.append(one)
        elif arrow.types.is_null(one.type):
            fields.append(other)
        elif arrow.types.is_decimal(one.type) and arrow.types.is_decimal(other.type):
            scale = max(one.type.scale, other.type.scale)
            whole = max(one.type.precision - one.type.scale, other.type.precision - other.type.scale)
            fields.append(arrow.field(one.name, _decimal(whole + scale, scale)))
        else:
            raise _no_type(one.name, f"it holds {one.type} and {other.type}", where)
    return arrow.schema(fields)


def _decimal(digits: int, scale: int) -> arrow.DataType:
    return arrow.decimal128(digits, scale) if digits <= 38 else arrow.decimal256(digits, scale)


def _no_type(name: str, why: str, where: str) -> DataInvalid:
    return DataInvalid(
        f"column {name!r} of the query has no one type: {why}", where=where, hint="CAST it in the query to one type"
    )


def _explained(error: DBAPIError, engine: Engine, where: str) -> ModelReleaseError:
    """Return what a database answered as an error of this project, without the password."""
    cause = error.orig
    state = str(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or "")
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    words = lines[0] if lines else type(cause).__name__
    if password := engine.url.password:
        words = words.replace(str(password), "…")
    if state == "25006":
        return SpecError(f"the query writes, and a source is only read: {words}", where=where)
    if state.startswith("28") or state == "42501" or "authentication failed" in words or "no password" in words:
        return CredentialsRefused(words, where=where, hint="mend the connection, or what its login may read")
    if state.startswith(("22", "42")):
        return SpecError(f"the query fails: {words}", where=where, hint="mend dataset.source.query")
    if state.startswith("3D") or words.endswith("does not exist"):
        return NotFound(words, where=where, hint="mend the connection")
    return StoreUnavailable(words, where=where)
