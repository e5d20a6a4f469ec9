"""Who of the operators can come in, on both databases; somebody who lets the others in is always left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.clock import now, to_text
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.registry.operators import Operator, Operators, Role, WrongOperator
from shared.registry.team import Access, Team
from tests.stores import create_all_tables

LAST = "the last admin who can sign in"


@pytest_asyncio.fixture
async def database(any_url: str) -> AsyncIterator[Database]:
    opened = open_database(any_url)
    create_all_tables(opened)
    yield opened
    await opened.close()


async def with_password(operators: Operators, name: str, role: Role = "admin") -> Operator:
    added = await operators.add(f"{name}@okno.example", role)
    return await operators.set_up(await operators.create_token(added.id, "setup"), added.email, "", "password")


async def access(database: Database) -> dict[str, Access]:
    return {member.operator.name: member.access for member in await Team(database).all()}


async def test_a_locked_operator_comes_in_by_nothing_until_given_a_new_link(database: Database) -> None:
    operators, team = Operators(database), Team(database)
    olga, ben = await with_password(operators, "olga"), await with_password(operators, "ben")
    tokens = [await operators.create_token(olga.id, purpose) for purpose in ("session", "api", "setup")]
    await team.lock(olga.id)
    assert [await operators.of_token(token, ("session", "api", "setup")) for token in tokens] == [None] * 3
    assert await operators.sign_in(olga.email, "password") is None
    assert await access(database) == {"olga": "locked", "ben": "active"}
    with pytest.raises(WrongOperator, match=LAST):
        await team.lock(ben.id)
    link = await operators.create_token(olga.id, "setup")
    assert await access(database) == {"olga": "invited", "ben": "active"}
    await operators.set_up(link, olga.email, "", "another one")
    assert await operators.sign_in(olga.email, "another one") is not None
    await team.lock(ben.id)


async def test_whoever_is_locked_while_their_password_is_looked_at_gets_no_session(database: Database) -> None:
    operators, team = Operators(database), Team(database)
    olga = await with_password(operators, "olga", "operator")
    assert await operators.sign_in(olga.email, "password") == olga
    await team.lock(olga.id)
    assert await operators.begin_session(olga.id) is None
    assert await access(database) == {"olga": "locked"}


async def test_a_token_or_a_link_is_a_way_in_until_it_has_expired(database: Database) -> None:
    operators = Operators(database)
    olga, ben = [await operators.add(f"{name}@okno.example", "operator") for name in ("olga", "ben")]
    assert await access(database) == {"olga": "locked", "ben": "locked"}
    await operators.create_token(olga.id, "api")
    await operators.create_token(ben.id, "setup")
    assert await access(database) == {"olga": "active", "ben": "invited"}
    await database.write(lambda tx: tx.run("UPDATE operator_tokens SET expires_at = ?", (to_text(now()),)))
    assert await access(database) == {"olga": "locked", "ben": "locked"}


async def test_a_role_is_changed_from_the_next_request_on_but_not_that_of_the_last_admin(database: Database) -> None:
    operators, team = Operators(database), Team(database)
    olga, ben = await with_password(operators, "olga"), await with_password(operators, "ben", "operator")
    await operators.add("invited@okno.example", "admin")
    token = await operators.create_token(olga.id, "session")
    with pytest.raises(WrongOperator, match=LAST):
        await team.set_role(olga.id, "analyst")
    with pytest.raises(WrongOperator, match="a role is one of"):
        await team.set_role(ben.id, "boss")  # type: ignore[arg-type]
    await team.set_role(ben.id, "admin")
    await team.set_role(olga.id, "analyst")
    known = await operators.of_token(token, ("session",))
    assert known is not None
    assert known.role == "analyst"


async def test_of_two_admins_who_lock_each_other_at_once_one_is_left(database: Database) -> None:
    operators, team = Operators(database), Team(database)
    admins = [await with_password(operators, name) for name in ("olga", "ben")]
    done = await asyncio.gather(*(team.lock(admin.id) for admin in admins), return_exceptions=True)
    assert [type(each) for each in done if each] == [WrongOperator]
    assert sorted((await access(database)).values()) == ["active", "locked"]


async def test_when_an_operator_signed_in_last_is_known(database: Database) -> None:
    operators = Operators(database)
    olga = await with_password(operators, "olga")
    assert [member.signed_in_at for member in await Team(database).all()] == [None]
    await operators.begin_session(olga.id)
    (first,) = await Team(database).all()
    await operators.begin_session(olga.id)
    (second,) = await Team(database).all()
    assert (first.signed_in_at or "") < (second.signed_in_at or "") <= to_text(now())


async def test_of_two_links_made_at_once_one_is_left(database: Database) -> None:
    operators = Operators(database)
    olga = await operators.add("olga@okno.example", "operator")
    links = await asyncio.gather(*(operators.create_token(olga.id, "setup") for _ in range(4)))
    assert [await operators.of_token(link, ("setup",)) for link in links].count(olga) == 1
