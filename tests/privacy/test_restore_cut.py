"""A restore that was cut short where things are told to others: what was told twice counts once."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.house import open_house
from services.privacy import lost, under_way
from services.privacy.backup import back_up
from services.privacy.restore import restore
from shared.contracts import topics
from shared.registry import erasures
from tests.peers.kafka import KafkaServer
from tests.privacy.test_restore import PowerCut, after, on_topic, power_cut, restored_item
from tests.privacy.test_under_way import accept, answer, closed_shop, copy_keys
from tests.privacy.town import Person, settings_of, town


async def test_keys_are_declared_lost_once_when_the_restore_is_cut_short_just_then(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, file, new = Person("Dvazhdyobyavlennaya"), tmp_path / "okno.backup", tmp_path / "new"
    async with closed_shop(tmp_path / "old") as (house, transport):
        copy_keys(tmp_path / "old", new)
        await restored_item(house, transport, anna, file)
    house = open_house(settings_of(new, url), half_restored=True)
    with monkeypatch.context() as patched:
        patched.setattr(lost, "give_up", power_cut)
        with pytest.raises(PowerCut):
            await restore(house, file, keys_may_lack=True)
    loaded = await restore(house, file, keys_may_lack=True)
    assert (loaded["under_way_of_erased"], loaded["lost_items"]) == (1, 1)
    assert [each.kind for each in await house.database.read(erasures.everything)] == ["lost"]
    await house.close()


@pytest.mark.cluster
@pytest.mark.timeout(300)
async def test_mail_and_an_answer_that_are_published_twice_to_kafka_are_shown_and_sent_once(
    own_kafka: KafkaServer, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, file, old, new = Person("Dvazhdyskazavshaya"), tmp_path / "okno.backup", tmp_path / "old", tmp_path / "new"
    async with town(settings_of(old)) as made:
        await made.publish(made.item(anna, "email", "first"))
        channels, later = made.channels, made.item(anna, "email", "later")
    async with closed_shop(old) as (house, transport):
        await answer(house, transport, anna, "reply")
        await accept(transport, [later])
        assert (await back_up(house, file))["under_way"] == 2
    copy_keys(old, new)
    settings = settings_of(new, database_url, own_kafka.bootstrap)
    house = open_house(settings, half_restored=True)
    with monkeypatch.context() as patched:
        patched.setattr(under_way, "publish", after(under_way.publish))
        with pytest.raises(PowerCut):
            await restore(house, file)
    await restore(house, file)
    assert [await on_topic(house, topic) for topic in (topics.INBOUND, topics.OUTBOUND)] == [2, 2]
    await house.close()
    async with town(settings, channels) as again:
        again.published = 2  # both copies are read
        await again.settle()
        ((customer,),) = await again.house.database.read(lambda tx: tx.rows("SELECT id FROM customers"))
        entries = await again.timeline(customer)
        said = [(entry["text"], (entry["delivery"] or {}).get("state")) for entry in entries]
        assert sorted(said, key=str) == sorted(
            [(anna.say("first"), None), (anna.say("later"), None), (anna.say("reply"), "sent")], key=str
        )
        assert [reply.text for reply in again.sent] == [anna.say("reply")]
