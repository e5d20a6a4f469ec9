from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from shared.database.open import open_database
from shared.keys.pages import KEYS, WrongKeyStore
from shared.keys.ring import KeyRing, nonce

SECRET = b"s" * 32
AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def opened(url: str, secret: bytes = SECRET) -> KeyRing:
    ring = KeyRing(open_database(url), secret)
    ring.create_tables()
    return ring


@pytest_asyncio.fixture
async def ring(any_url: str) -> AsyncIterator[KeyRing]:
    made = opened(any_url)
    yield made
    await made.close()


async def test_a_customer_has_a_key_for_each_channel_and_week(ring: KeyRing) -> None:
    customer, channel = uuid4(), uuid4()
    key = ring.to_seal(customer, channel, AT)
    assert ring.to_seal(customer, channel, AT + timedelta(hours=1)) is key
    others = [
        (uuid4(), channel, AT),
        (customer, None, AT),
        (customer, uuid4(), AT),
        (customer, channel, AT + timedelta(7)),
    ]
    assert len({key.id, *(ring.to_seal(*other).id for other in others)}) == 5


async def test_another_process_opens_what_one_has_sealed_until_it_is_destroyed(ring: KeyRing, any_url: str) -> None:
    keys = [ring.to_seal(uuid4(), None, AT) for _ in range(3 * KEYS)]
    number, sealed = keys[0].seal(b"hello", b"beside")
    other = opened(any_url)
    cipher = other.to_open([keys[0].id])[keys[0].id]
    assert cipher is not None
    assert cipher.decrypt(nonce(number), sealed, b"beside") == b"hello"
    assert (ring.destroy([keys[0].id]), ring.destroy([keys[0].id])) == (1, 0)
    other._looked_at = float("-inf")  # five seconds later
    assert other.to_open([keys[0].id]) == {keys[0].id: None}
    assert None not in other.to_open([key.id for key in keys[1:]]).values()
    await other.close()


async def test_a_destroyed_key_is_never_sealed_with_again(ring: KeyRing) -> None:
    customer = uuid4()
    key = ring.to_seal(customer, None, AT)
    ring.destroy([key.id])
    assert ring.to_seal(customer, None, AT).id != key.id


async def test_a_missing_page_and_a_wrong_secret_are_told_apart_from_a_destroyed_key(
    ring: KeyRing, any_url: str
) -> None:
    key = ring.to_seal(uuid4(), None, AT)
    with pytest.raises(WrongKeyStore, match="lacks"):
        ring.to_open([bytes(17)])
    wrong = opened(any_url, b"x" * 32)
    with pytest.raises(WrongKeyStore, match="SECRET_KEY"):
        wrong.to_open([key.id])
    await wrong.close()


async def test_keys_taken_by_many_threads_at_once_are_all_different(ring: KeyRing) -> None:
    async def take() -> set[bytes]:
        return await asyncio.to_thread(lambda: {ring.to_seal(uuid4(), None, AT).id for _ in range(500)})

    assert len(set().union(*await asyncio.gather(*(take() for _ in range(4))))) == 2000


async def test_a_destroyed_key_is_in_no_file_of_the_store(tmp_path: Path) -> None:
    ring = opened(f"sqlite:///{tmp_path / 'keys.db'}")
    key = ring.to_seal(UUID(int=1), None, AT)
    with ring.database.reading() as tx:
        page = bytes(tx.rows("SELECT sealed FROM key_pages WHERE id = ?", (key.id[:16],))[0][0])
    assert found_in(tmp_path, page)
    ring.destroy([key.id])
    ring.pages.wipe()
    assert not found_in(tmp_path, page[:100])
    await ring.close()


def found_in(folder: Path, data: bytes) -> bool:
    return any(data in path.read_bytes() for path in folder.iterdir())
