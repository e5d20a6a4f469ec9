"""Events as Parquet: flat columns for the envelope and the ids most events have, the event itself as JSON text.

pyarrow takes 170 MB of disk: it is installed and imported only by those who ask for Parquet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import attrgetter
from typing import IO, Any, cast

import msgspec

from shared.domain.events import Recorded
from shared.event_store.mapper import TYPES
from shared.event_store.shown import ShownEvent, shown

ROWS_PER_GROUP = 10_000
IDS = ("customer_id", "conversation_id", "channel_id")
MESSAGE_IDS = ("message_id", "reply_id", "note_id")
"""A reply and a note are messages on the timeline: what tells of them has their id in the same column."""
CHANNEL_KIND = ("channel_kind",)
Row = tuple[object, ...]
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
            self._add(_table(self._arrow, self._schema, _rows([shown(each) for each in events])))

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


def as_arrow(pieces: Iterable[Sequence[ShownEvent]]) -> tuple[int, bytes]:
    """Return how many events there are and these as an Arrow stream, empty for none. Raises ParquetMissing."""
    rows = [row for events in pieces for row in _rows(events)]
    if not rows:
        return 0, b""
    arrow, _ = _pyarrow()
    sink, schema = arrow.BufferOutputStream(), _schema(arrow)
    with arrow.ipc.new_stream(sink, schema) as stream:
        stream.write_table(_table(arrow, schema, rows))
    return len(rows), sink.getvalue().to_pybytes()


def _table(arrow: Any, schema: Any, rows: Sequence[Row]) -> Any:
    arrays = [_array(arrow, column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return arrow.Table.from_arrays(arrays, schema=schema)


def _array(arrow: Any, column: Sequence[object], kind: Any) -> Any:
    """Times come as texts: Arrow reads a column of them faster than it takes Python's."""
    return arrow.array(column).cast(kind) if arrow.types.is_timestamp(kind) else arrow.array(column, kind)


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


def _rows(events: Sequence[ShownEvent]) -> list[Row]:
    streams: list[str] = msgspec.to_builtins([each.stream_id for each in events])  # ten times as fast as str()
    return [_row(shown, stream_id) for shown, stream_id in zip(events, streams, strict=True)]


def _row(shown: ShownEvent, stream_id: str) -> Row:
    actor = shown.actor
    return (
        shown.position,
        shown.type,
        stream_id,
        shown.version,
        shown.recorded_at,
        shown.occurred_at,
        None if shown.cause is None else str(shown.cause),
        actor.kind,
        actor.id,
        actor.name,
        *[_text(shown.data, sources) for sources in _sources(shown.type)],
        _encode(shown.data),
        shown.erased is True,
    )


@cache
def _sources(type_: str) -> Sequence[Sequence[Callable[[Any], Any]]]:
    """Return for each column of what most events have how to ask an event of a type for it."""
    event = TYPES[type_]
    columns = (*zip(IDS), CHANNEL_KIND, MESSAGE_IDS)
    return [[_asking(event, name) for name in names if hasattr(event, name)] for names in columns]


def _asking(event: type, name: str) -> Callable[[Any], Any]:
    """What an event tells by a property is told the same way of a copy, which has its fields only."""
    told = getattr(event, name)
    return cast("Callable[[Any], Any]", told.fget) if isinstance(told, property) else attrgetter(name)


def _text(event: object, sources: Sequence[Callable[[Any], Any]]) -> str | None:
    """Return the first that is not None."""
    for source in sources:
        value = source(event)
        if isinstance(value, str):
            return value
        if value is not None:
            return msgspec.json.decode(value, type=str) if isinstance(value, msgspec.Raw) else str(value)
    return None
