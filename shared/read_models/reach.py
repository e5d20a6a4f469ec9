"""At which of their addresses a customer has blocked us, and on which channels: asked of their conversations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.database.protocol import Transaction
from shared.read_models import timeline
from shared.read_models.entries import Body
from shared.read_models.facets import Filter
from shared.read_models.moment import Moment
from shared.read_models.timeline_pages import Wanted

Blocks = Mapping[tuple[str, str], list[Body]]
"""By customer and address: `channel_id` and `reason` for each channel."""
_MOST = 1000
_SQL = (
    "SELECT v.customer_id, COALESCE(v.reply_to, c.address), v.channel_id, v.unreachable FROM conversations v"
    " JOIN customers c ON c.id = v.customer_id"
    " WHERE v.unreachable IS NOT NULL AND (v.merged_into IS NULL OR v.status <> 'closed') AND v.customer_id"
)


def members(customer: Body) -> list[str]:
    """Return the ids of all who are shown as one with a customer, as `customers.customer` shows them."""
    return [customer["id"], *(member["id"] for member in customer["members"])]


def blocks(tx: Transaction, customer_ids: Sequence[str]) -> Blocks:
    """Return where these customers have blocked us."""
    found: defaultdict[tuple[str, str], list[Body]] = defaultdict(list)
    for customer_id, address, channel_id, reason in sorted(tx.rows_in(_SQL, customer_ids)):
        here = found[customer_id, address]
        if channel_id not in [each["channel_id"] for each in here]:
            here.append({"channel_id": channel_id, "reason": reason})
    return found


def conversations_told_of(tx: Transaction, customer_ids: Sequence[str], moment: Moment) -> set[str]:
    """Return in which conversations a block, or its end, was told of by a moment: nowhere else was anybody blocked."""
    wanted = Wanted(filter=Filter(kinds=("reach",)), moment=moment, by="happened" if moment.happened_until else "known")
    page = timeline.Page(_MOST, descending=True)
    return {entry["conversation_id"] for entry in timeline.of_group(tx, customer_ids, page, wanted)}


def with_blocks(customer: Body, found: Blocks) -> Body:
    """Return a customer with `blocked` at each identity: where and why, null where they can be written to."""
    theirs = [_marked(member["identities"], member["id"], found) for member in customer["members"]]
    merged = [identity for each in theirs for identity in each]
    own = customer["identities"][: len(customer["identities"]) - len(merged)]
    shown = [{**member, "identities": each} for member, each in zip(customer["members"], theirs, strict=True)]
    return {**customer, "identities": [*_marked(own, customer["id"], found), *merged], "members": shown}


def all_blocks(customers: Iterable[Body]) -> Iterator[Body]:
    """Yield every block of these customers, each once, for whoever puts in the names of channels."""
    for customer in customers:
        for identity in customer["identities"]:
            yield from identity["blocked"] or ()


def _marked(identities: Sequence[Body], customer_id: str, found: Blocks) -> list[Body]:
    """Each gets a list of its own: whoever puts in the names of channels changes it."""
    blocks = [found.get((customer_id, each["address"])) for each in identities]
    return [
        {**each, "blocked": their and [{**block} for block in their]}
        for each, their in zip(identities, blocks, strict=True)
    ]
