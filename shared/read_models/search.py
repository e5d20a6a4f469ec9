"""The index of everything that was said: SQLite's FTS5 or PostgreSQL's GIN over the words of `search_words`.

FTS5 only cuts at blanks (tokenizer ascii): what a word is, we decide for both.
It follows the log apart from the tables that are shown, in batches of its own: nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain.events import Recorded
from shared.read_models.search_entries import COLUMNS, TOLD, Entries, Entry, created, touched
from shared.read_models.search_words import KEY, OWNER, Query, Wanted

LOOKED_UP = 100
_BETWEEN = "\x1f"
"""No word has it. An array goes as one text: the driver would make it in Python, at a third of what indexing costs."""


class Search:
    name = "search"
    version = 1
    tables = ("search_entries", "search_words", "search_early")
    apart = True

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}search_entries (
            position BIGINT PRIMARY KEY, id TEXT NOT NULL, message_id TEXT NOT NULL, kind TEXT NOT NULL,
            customer_id TEXT NOT NULL, conversation_id TEXT NOT NULL, channel_id TEXT NOT NULL, direction TEXT NOT NULL,
            at TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL, more TEXT NOT NULL, changed_at TEXT NOT NULL
        );
        CREATE TABLE IF NOT EXISTS {prefix}search_early (id TEXT PRIMARY KEY) WITHOUT ROWID;
        /* sqlite */ CREATE VIRTUAL TABLE IF NOT EXISTS {prefix}search_words USING fts5(
            words, content='', detail=none, tokenize='ascii'
        );
        /* postgres */ CREATE TABLE IF NOT EXISTS {prefix}search_words (
            position BIGINT PRIMARY KEY, words TSVECTOR NOT NULL
        );
        /* postgres */ CREATE INDEX IF NOT EXISTS {prefix}search_words_words ON {prefix}search_words USING GIN (words)
        """

    def indexes(self, prefix: str) -> str:
        return ""

    def apply(self, tx: Transaction, events: Sequence[Recorded], prefix: str) -> None:
        made: set[str] = set()
        wanted: set[str] = set()
        told = [recorded for recorded in events if type(recorded.event) in TOLD]
        for recorded in told:
            if (id_ := touched(recorded)) and id_ not in made:
                wanted.add(id_)
            if id_ := created(recorded):
                made.add(id_)
        entries = Entries({}, _early(tx, made | wanted, prefix))
        before = {entry.id: entry for entry in _load(tx, wanted, prefix)}
        entries.by_id.update(before)
        known = set(entries.early)
        for recorded in told:
            entries.take(recorded)
        changed = {id_: e for id_, e in entries.by_id.items() if before.get(id_) != e}
        gone = [old for id_, old in before.items() if entries.by_id.get(id_) != old]
        _remove(tx, gone, prefix)
        _add(tx, list(changed.values()), prefix)
        tx.insert_many(f"{prefix}search_early", ("id",), [(id_,) for id_ in sorted(entries.early - known)], _ONCE)


READ_MODEL = Search()
_ONCE = "ON CONFLICT DO NOTHING"


def candidates(tx: Transaction, query: Query, owners: Sequence[UUID], before: int, limit: int) -> list[int]:
    """Return positions of entries with these words, the newest first; `owners`: customers of whom one must own it."""
    terms = [*query.terms, *([tuple((Wanted(OWNER + id_.hex),) for id_ in owners)] if owners else [])]
    matching = _text(tx, terms)
    if tx.dialect == "sqlite":
        sql = "SELECT rowid FROM search_words WHERE search_words MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
    else:
        where = "words @@ ?::tsquery AND position < ?"
        sql = f"SELECT position FROM search_words WHERE {where} ORDER BY position DESC LIMIT ?"
    return [position for (position,) in tx.rows(sql, (matching, before, limit))]


def entries_at(tx: Transaction, positions: Sequence[int]) -> list[Entry]:
    """Return the entries at these positions, the newest first."""
    marks = ",".join("?" * len(positions))
    sql = f"SELECT {','.join(COLUMNS)} FROM search_entries WHERE position IN ({marks}) ORDER BY position DESC"
    return [Entry(*row) for row in tx.rows(sql, positions)]


def _early(tx: Transaction, made: Iterable[str], prefix: str) -> set[str]:
    """There are hardly ever any, so that is asked first."""
    if tx.row(f"SELECT 1 FROM {prefix}search_early LIMIT 1") is None:
        return set()
    return {id_ for (id_,) in tx.rows_in(f"SELECT id FROM {prefix}search_early WHERE id", list(made))}


def _load(tx: Transaction, ids: Iterable[str], prefix: str) -> list[Entry]:
    """An index on ids would touch a page for each message; the words know them already."""
    keys = [KEY + id_ for id_ in sorted(ids)]
    return [
        entry for start in range(0, len(keys), LOOKED_UP) for entry in _by_words(tx, keys[start:][:LOOKED_UP], prefix)
    ]


def _by_words(tx: Transaction, any_of: Sequence[str], prefix: str) -> list[Entry]:
    matching = _text(tx, [tuple((Wanted(word),) for word in any_of)])
    table, columns = f"{prefix}search_words", ",".join(COLUMNS)
    if tx.dialect == "sqlite":
        where = f"SELECT rowid FROM {table} WHERE {table} MATCH ?"
    else:
        where = f"SELECT position FROM {table} WHERE words @@ ?::tsquery"
    rows = tx.rows(
        f"SELECT {columns} FROM {prefix}search_entries WHERE position IN ({where}) ORDER BY position", (matching,)
    )
    return [Entry(*row) for row in rows]


def _text(tx: Transaction, terms: Sequence[Sequence[Sequence[Wanted]]]) -> str:
    """Return a query in the database's language; words are letters and digits only, so quoting them is enough."""
    quote, prefix, every, either = ('"', " *", " AND ", " OR ") if tx.dialect == "sqlite" else ("'", ":*", " & ", " | ")

    def word(wanted: Wanted) -> str:
        return f"{quote}{wanted.word}{quote}{prefix if wanted.is_prefix else ''}"

    def group(alternative: Sequence[Wanted]) -> str:
        return f"({every.join(map(word, alternative))})"

    return every.join(f"({either.join(map(group, term))})" for term in terms)


def _add(tx: Transaction, entries: Sequence[Entry], prefix: str) -> None:
    tx.insert_many(f"{prefix}search_entries", COLUMNS, entries)
    words = [(entry.position, entry.words()) for entry in entries]
    if tx.dialect == "sqlite":
        tx.insert_many(f"{prefix}search_words", ("rowid", "words"), words)
    elif words:
        sql = (
            f"INSERT INTO {prefix}search_words SELECT p, array_to_tsvector(string_to_array(w, ' '))"
            f" FROM unnest(?::text::bigint[], string_to_array(?, '{_BETWEEN}')) AS given(p, w)"
        )
        positions = ",".join([str(position) for position, _ in words])
        tx.run(sql, (f"{{{positions}}}", _BETWEEN.join([text for _, text in words])))


def _remove(tx: Transaction, entries: Sequence[Entry], prefix: str) -> None:
    """FTS5 without content of its own is told what it had (sqlite.org/fts5.html, 4.4.3)."""
    table = f"{prefix}search_words"
    if tx.dialect == "sqlite":
        sql = f"INSERT INTO {table} ({table}, rowid, words) VALUES ('delete', ?, ?)"
        tx.run_many(sql, [(entry.position, entry.words()) for entry in entries])
    else:
        tx.run_many(f"DELETE FROM {table} WHERE position = ?", [(entry.position,) for entry in entries])
    tx.run_many(f"DELETE FROM {prefix}search_entries WHERE position = ?", [(entry.position,) for entry in entries])
