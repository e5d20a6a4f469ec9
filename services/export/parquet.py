"""Events as Parquet: flat columns for the envelope and the ids most events have, the event itself as JSON text.

pyarrow takes 170 MB of disk: it is installed and imported only by those who ask for Parquet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain
from operator import attrgetter
from types import NoneType
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
TOLD = (*zip(IDS), CHANNEL_KIND, MESSAGE_IDS)
Column = Sequence[object]
_encode = msgspec.json.Encoder().encode


class ParquetMissing(Exception):
    """pyarrow is not installed; the text says how it is."""


class Parquet:
    """Keeps one row group in memory. Raises ParquetMissing."""

    form = "parquet"

    def __init__(self, out: IO[bytes]) -> None:
        self._arrow, parquet = _pyarrow()
        self._schema = _schema(self._arrow)
        words = [field.name for field in self._schema if self._arrow.types.is_dictionary(field.type)]
        self._writer = parquet.ParquetWriter(out, self._schema, compression="zstd", use_dictionary=words)
        self._tables: list[Any] = []

    def add(self, events: Sequence[Recorded]) -> None:
        if events:
            self._add(_table(self._arrow, self._schema, _columns([shown(each) for each in events])))

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
    events = list(chain.from_iterable(pieces))
    if not events:
        return 0, b""
    arrow, _ = _pyarrow()
    sink, schema = arrow.BufferOutputStream(), _schema(arrow)
    with arrow.ipc.new_stream(sink, schema) as stream:
        stream.write_table(_table(arrow, schema, _columns(events)))
    return len(events), sink.getvalue().to_pybytes()


def _table(arrow: Any, schema: Any, columns: Sequence[Column]) -> Any:
    arrays = [_array(arrow, column, field.type) for column, field in zip(columns, schema, strict=True)]
    return arrow.Table.from_arrays(arrays, schema=schema)


def _array(arrow: Any, column: Sequence[object], kind: Any) -> Any:
    """Times come as texts, JSON as bytes: Arrow makes a column of them into another faster than it takes Python's."""
    is_made = arrow.types.is_timestamp(kind) or isinstance(column[0], bytes)
    return arrow.array(column).cast(kind) if is_made else arrow.array(column, kind)


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


def _columns(events: Sequence[ShownEvent]) -> list[Column]:
    """As the schema has them: by columns half the time of by rows."""
    actors, data = [each.actor for each in events], [each.data for each in events]
    return [
        [each.position for each in events],
        [each.type for each in events],
        _as_texts([each.stream_id for each in events]),
        [each.version for each in events],
        [each.recorded_at for each in events],
        [each.occurred_at for each in events],
        _as_texts([each.cause for each in events]),
        [actor.kind for actor in actors],
        [actor.id for actor in actors],
        [actor.name for actor in actors],
        *_told(events),
        [_encode(event) for event in data],
        [each.erased is True for each in events],
    ]


def _as_texts(ids: Sequence[object]) -> Column:
    """Ten times as fast as str() of each."""
    texts: Column = msgspec.to_builtins(ids)
    return texts


def _told(events: Sequence[ShownEvent]) -> list[list[str | None]]:
    """Return the columns of what most events have, taken from all of one type together."""
    told: list[list[str | None]] = [[None] * len(events) for _ in TOLD]
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(events):
        places[each.type].append(place)
    for type_, its in places.items():
        data = [events[place].data for place in its]
        for column, sources in zip(told, _sources(type_), strict=True):
            for place, text in zip(its, _texts(sources, data) if sources else (), strict=False):
                column[place] = text
    return told


@cache
def _sources(type_: str) -> Sequence[Sequence[Callable[[Any], Any]]]:
    """Return for each column of what most events have how to ask an event of a type for it."""
    event = TYPES[type_]
    return [[_asking(event, name) for name in names if hasattr(event, name)] for names in TOLD]


def _asking(event: type, name: str) -> Callable[[Any], Any]:
    """What an event tells by a property is told the same way of a copy, which has its fields only."""
    told = getattr(event, name)
    return cast("Callable[[Any], Any]", told.fget) if isinstance(told, property) else attrgetter(name)


def _texts(sources: Sequence[Callable[[Any], Any]], events: Sequence[object]) -> list[Any]:
    """Return of each event the first that is not None."""
    values = list(map(sources[0], events))
    for source in sources[1:]:
        values = [source(event) if value is None else value for value, event in zip(values, events, strict=True)]
    return values if {*map(type, values)} <= {str, NoneType} else list(map(_text, values))


def _text(value: object) -> str | None:
    """A text is a copy of JSON where it was sealed; an id is a text there, a UUID elsewhere."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.decode(value, type=str) if isinstance(value, msgspec.Raw) else str(value)
