"""How far a topic is, and its readers: asked from outside, the same of both transports."""

from __future__ import annotations

from shared.transport.protocol import Outgoing
from tests.transport.house import House


async def test_how_far_a_topic_and_its_readers_are(house: House) -> None:
    async with house.transport() as transport:
        assert await transport.ends(house.topic) == {}
        await transport.publisher().publish_many(house.topic, [Outgoing("k", b"%d" % n, {}) for n in range(3)])
        ends = await transport.ends(house.topic)
        assert len(ends) == 1
        async with transport.consumer(house.topic, house.group) as consumer:
            records = await consumer.batch(10, 20.0)
            await consumer.commit(records)
        (source, end), *_ = ends.items()
        assert (records[-1].source, records[-1].offset) == (source, end)
        assert (await transport.done(house.topic, house.group))[source] == end
