"""A process to be killed: `python -m tests.transport.child ADDRESS TOPIC GROUP publish|read`."""

import asyncio
import sys

from shared.transport.protocol import Outgoing
from tests.transport.house import House


async def publish(house: House) -> None:
    """Publish numbers for ever; print each once it is confirmed."""
    async with house.transport() as transport:
        publisher = transport.publisher()
        number = 0
        while True:
            await publisher.publish(house.topic, Outgoing(f"k{number % 5}", str(number).encode(), {}))
            print(number)
            number += 1


async def read(house: House) -> None:
    """Read one batch, print how many there are and stay without committing."""
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        while not (records := await consumer.batch(100, 1)):
            pass
        print(len(records))
        while True:
            await consumer.batch(1, 3600)


if __name__ == "__main__":
    address, topic, group, action = sys.argv[1:]
    asyncio.run({"publish": publish, "read": read}[action](House(address, topic, group)))
