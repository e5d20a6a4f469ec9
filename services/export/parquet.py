"""Events as Parquet: flat columns for the envelope and the ids most events have, the event itself as JSON text.

pyarrow takes 170 MB of disk: it is installed and imported only by those who ask for Parquet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import msgspec

from shared.domain.events import Recorded

ROWS_PER_GROUP = 10_000
IDS = ("customer_id", "conversation_id", "channel_id")
MESSAGE_IDS = ("message_id", "reply_id", "note_id")
"""A reply and a note are messages on the timeline: what tells of them has their id in the same column."""
_encode = msgspec.json.Encoder().encode


class ParquetMissing(Exception):
    """pyarrow is not installed; the text says how it is."""


class Parquet:
    """Keeps one row group in memory. Raises ParquetMissing."""

    form = "parquet"

    def __init__(self, out: IO[bytes]) -> None:
        self._arrow, parquet = _pyarrow()
        self._schema = _schema(self._arrow)
        self._writer = parquet.ParquetWriter(out, self._schema, compression="zstd")
        self._tables: list[Any] = []

    def add(self, events: Sequence[Recorded]) -> None:
        if events:
            self._add(_table(self._arrow, self._schema, events))

    def add_piece(self, piece: bytes) -> None:
        if piece:
            self._add(self._arrow.ipc.open_stream(piece).read_all())

    def end(self) -> None:
        self._write()
        self._writer.close()

    def _add(self, table: Any) -> None:
        self._tables.append(table)
        if sum(each.num_rows for each in self._tables) >= ROWS_PER_GROUP:
            self._write()

    def _write(self) -> None:
        if self._tables:
            self._writer.write_table(self._arrow.concat_tables(self._tables).unify_dictionaries())
            self._tables = []


def as_arrow(events: Sequence[Recorded]) -> bytes:
    """Return events as an Arrow stream, empty for none. Raises ParquetMissing."""
    if not events:
        return b""
    arrow, _ = _pyarrow()
    sink, schema = arrow.BufferOutputStream(), _schema(arrow)
    with arrow.ipc.new_stream(sink, schema) as stream:
        stream.write_table(_table(arrow, schema, events))
    piece: bytes = sink.getvalue().to_pybytes()
    return piece


def _table(arrow: Any, schema: Any, events: Sequence[Recorded]) -> Any:
    columns = zip(*map(_row, events), strict=True)
    arrays = [arrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return arrow.Table.from_arrays(arrays, schema=schema)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ParquetMissing("Parquet needs pyarrow: pip install 'okno[parquet]', or pip install pyarrow") from error
    return pyarrow, pyarrow.parquet


def _schema(arrow: Any) -> Any:
    text, name, time = arrow.string(), arrow.dictionary(arrow.int32(), arrow.string()), arrow.timestamp("us", "UTC")
    return arrow.schema(
        [
            ("position", arrow.int64()),
            ("type", name),
            ("stream_id", text),
            ("version", arrow.int64()),
            ("recorded_at", time),
            ("occurred_at", time),
            ("cause", text),
            ("actor_kind", name),
            ("actor_id", text),
            ("actor_name", text),
            *((column, text) for column in IDS),
            ("channel_kind", name),
            ("message_id", text),
            ("data", text),
            ("erased", arrow.bool_()),
        ]
    )


def _row(recorded: Recorded) -> tuple[object, ...]:
    event = recorded.event
    message_id = next((id_ for name in MESSAGE_IDS if (id_ := getattr(event, name, None))), None)
    return (
        recorded.position,
        type(event).__name__,
        str(recorded.stream_id),
        recorded.version,
        recorded.recorded_at,
        recorded.occurred_at,
        _text(recorded.cause),
        recorded.actor.kind,
        recorded.actor.id,
        recorded.actor.name,
        *(_text(getattr(event, column, None)) for column in IDS),
        getattr(event, "channel_kind", None),
        _text(message_id),
        _encode(event).decode(),
        recorded.erased,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
