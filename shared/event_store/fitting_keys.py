"""Whether a key store is the one that the log was sealed with: asked before anything is sealed with it."""

from __future__ import annotations

from shared.database.protocol import Transaction
from shared.event_store.mapper import SEALED, keys_of
from shared.event_store.recorders import EVENTS
from shared.keys.pages import PAGE_ID_BYTES, WrongKeyStore
from shared.keys.ring import NOBODY, KeyRing

LOOKED_AT = 1000
"""Events at each end of the log: the oldest tell another store, the newest an older copy of the right one."""
ADVICE = "put the key store of this database in its place (OKNO_KEYS_URL, keys.db), or its newest backup"


def refuse_another(tx: Transaction, keys: KeyRing) -> None:
    """Raises WrongKeyStore when what lies at either end of the log cannot be opened with these keys."""
    try:
        keys.to_open(keys_of(_ends(tx)))
    except WrongKeyStore as error:
        raise WrongKeyStore(f"{error}: {ADVICE}") from error


def refuse_foreign(tx: Transaction, keys: KeyRing) -> None:
    """Raises WrongKeyStore when nothing in the log can be opened with these keys; single ones may lack."""
    keys.pages.refuse_another_secret()
    at_ends = {key[:PAGE_ID_BYTES] for key in keys_of(_ends(tx))} - {NOBODY[:PAGE_ID_BYTES]}
    if at_ends and keys.pages.missing(at_ends) != at_ends:
        return
    named = pages_of_log(tx)
    if named and keys.pages.missing(named) == named:
        raise WrongKeyStore(f"the key store has none of the {len(named)} pages of keys that the log names: {ADVICE}")


def pages_of_log(tx: Transaction) -> set[bytes]:
    """Return the pages whose keys sealed anything in the log; reads all of it."""
    sql = f"SELECT DISTINCT substr(state, 2, {PAGE_ID_BYTES}) FROM {EVENTS} WHERE substr(state, 1, 1) = ?"
    return {bytes(page) for (page,) in tx.rows(sql, (bytes((SEALED,)),))} - {NOBODY[:PAGE_ID_BYTES]}


def _ends(tx: Transaction) -> list[bytes]:
    """Return the beginnings of the states of the oldest and the newest events: which key sealed them, if any."""
    position = "rowid" if tx.dialect == "sqlite" else "notification_id"
    sql = f"SELECT substr(state, 1, {1 + len(NOBODY)}) FROM {EVENTS} ORDER BY {position} {{}} LIMIT {LOOKED_AT}"
    return [bytes(state) for order in ("ASC", "DESC") for (state,) in tx.rows(sql.format(order))]
