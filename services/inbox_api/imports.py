"""Imports of customers over HTTP, for admins: the file is the body of each request and is kept nowhere.

Answers are one JSON document, or with `Accept: application/x-ndjson` a line for each batch of rows, at last the totals:
a large file takes minutes, an undoing too, and nobody waits so long for an answer that has not begun.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast
from uuid import UUID, uuid4

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from services.inbox_api import importing
from services.inbox_api.cards import by_id_and_email
from services.inbox_api.context import Call, answer, listed
from shared.csv_file import WrongFile
from shared.domain.errors import Refused
from shared.domain.imports import Judged, counts
from shared.event_store.importing import Left
from shared.event_store.mapper import EventUnreadable
from shared.read_models import imports

Body = dict[str, Any]
Steps = AsyncGenerator[importing.Progress, None]
FILE_BYTES = 100 * 1024 * 1024
IN_MEMORY = 1024 * 1024
PREVIEW_ROWS = 20
MOST_ROWS_SHOWN = 10_000
ADMINS = "imports change any number of cards at once: only admins do this"
LINES = "application/x-ndjson"


async def list_(call: Call) -> Response:
    call.only_admins(ADMINS)
    limit = call.limit()
    items = await call.context.database.read(partial(imports.page, before=call.cursor(), limit=limit))
    return listed(items, limit)


async def preview(call: Call) -> Response:
    """POST /customers/import/preview, the CSV as the body: how it is written and where its columns would go."""
    call.only_admins(ADMINS)
    with await _body(call) as file:
        try:
            return answer(await importing.preview(call.context.database, file, PREVIEW_ROWS))
        except WrongFile as error:
            raise HTTPException(422, str(error)) from None


async def import_(call: Call) -> Response:
    """POST /customers/import?dry_run=true|false&map=HEADING=FIELD&country=RU&id=UUID&name=FILE&limit=500.

    Without `map`, columns go where their headings suggest. The same `id` with the same file goes on where it stopped.
    """
    call.only_admins(ADMINS)
    dry = call.request.query_params.get("dry_run", "true")
    if dry not in ("true", "false"):
        raise HTTPException(422, "dry_run must be true or false")
    import_id = None if dry == "true" else call.query_id("id") or uuid4()
    limit = call.number("limit", 500, 0, MOST_ROWS_SHOWN) or 0
    file = await _body(call)
    try:
        steps = await _steps(call, file, import_id)
        first = await anext(steps, None)
    except WrongFile as error:
        file.close()
        raise HTTPException(422, str(error)) from None
    except BaseException:
        file.close()
        raise
    told = _told(call, file, first, steps, import_id)
    if LINES in call.request.headers.get("accept", ""):
        return StreamingResponse((orjson.dumps(line) + b"\n" async for line in told), media_type=LINES)
    return answer(await _together(told, limit))


async def undo(call: Call) -> Response:
    """POST /imports/{id}/undo: every field back to what it was, but those that somebody has changed since."""
    call.only_admins(ADMINS)
    steps = importing.undo(call.context.store, call.context.database, call.id(), call.about())
    told = _undoing(call, await anext(steps), steps)
    if LINES in call.request.headers.get("accept", ""):
        return StreamingResponse((orjson.dumps(line) + b"\n" async for line in told), media_type=LINES)
    *_, last = [line async for line in told]
    if "problem" in last:
        raise HTTPException(503, last["problem"], {"Retry-After": "5"})
    return answer({name: value for name, value in last.items() if name != "done"})


async def _undoing(
    call: Call, done: importing.Undoing, steps: AsyncGenerator[importing.Undoing, None]
) -> AsyncIterator[Body]:
    """Yield how far an undoing is after each batch; at last {"done"} with the import, or {"problem"}."""
    try:
        yield _so_far(done)
        async for done in steps:
            yield _so_far(done)
    finally:
        await steps.aclose()
    await call.context.views.reach(done.position)
    found = await call.context.database.read(partial(imports.one, import_id=call.id()))
    if found is None:
        yield {"problem": "It is undone, but cannot be shown yet."}
    else:
        yield {"done": True, **found, "items": [left_row(left) for left in done.items]}


def _so_far(done: importing.Undoing) -> Body:
    return {"restored": done.restored, "retired": done.retired, "left": done.left}


def left_row(left: Left) -> Body:
    """Return a row that was left as the API and the command show it."""
    return asdict(left) | {"customer_id": str(left.customer_id), "fields": list(left.fields)}


def judged_row(judged: Judged) -> Body:
    """Return what became of a row, or would, as the API and the command show it."""
    return {
        "row": judged.number,
        "state": judged.state,
        "customer_id": str(judged.customer_id) if judged.customer_id else None,
        "changes": [asdict(change) for change in judged.changes],
        "problems": [asdict(problem) for problem in judged.problems],
        "not_added": list(judged.not_added),
    }


async def _steps(call: Call, file: BinaryIO, import_id: UUID | None) -> Steps:
    query = call.request.query_params
    mapping: list[tuple[str, str]] = []
    for pair in query.getlist("map"):
        heading, equals, field = pair.rpartition("=")
        if not equals:
            raise HTTPException(422, "map must be HEADING=FIELD")
        mapping.append((heading, field.strip()))
    operators = by_id_and_email(await call.context.operators.all())
    name, country = query.get("name", "").replace("\0", ""), query.get("country", "").upper()
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        raise HTTPException(422, "country must be two letters, such as RU")
    wanted = importing.Wanted(file, name, mapping, operators, country)
    plan = await importing.plan(call.context.database, wanted)
    if import_id is None:
        return importing.dry_run(call.context.database, plan)
    return importing.run(call.context.store, plan, import_id, call.about())


async def _told(
    call: Call, file: BinaryIO, first: importing.Progress | None, steps: Steps, import_id: UUID | None
) -> AsyncIterator[Body]:
    """Yield the rows of each batch with the totals so far; at last {"done"}, or {"problem"} with what stopped it."""
    totals, position = counts(()), 0
    try:
        step = first
        while step is not None:
            totals, position = step.totals, step.position
            yield {"items": [judged_row(judged) for judged in step.judged], "counts": totals}
            step = await anext(steps, None)
    except (WrongFile, Refused, EventUnreadable) as error:
        yield {"problem": str(error), "counts": totals}
        return
    finally:
        await steps.aclose()
        file.close()
    if import_id is not None:
        await call.context.views.reach(position)
    yield {"done": True, "counts": totals, "id": str(import_id) if import_id else None}


async def _together(told: AsyncIterator[Body], limit: int) -> Body:
    """Return all in one document with up to `limit` rows. Raises 422 with what stopped it."""
    items: list[Body] = []
    last: Body = {}
    async for last in told:
        items += last.get("items", ())[: max(0, limit - len(items))]
    if "problem" in last:
        raise HTTPException(422, last["problem"])
    return {"id": last["id"], "counts": last["counts"], "items": items}


async def _body(call: Call) -> BinaryIO:
    """Return the body as a file, on disk where it is large. Raises 413."""
    file = cast("BinaryIO", SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 (whoever reads it closes it)
    size = 0
    try:
        async for chunk in call.request.stream():
            size += len(chunk)
            if size > FILE_BYTES:
                raise HTTPException(413, f"a file may have {FILE_BYTES} bytes")
            file.write(chunk)
    except BaseException:
        file.close()
        raise
    return file
