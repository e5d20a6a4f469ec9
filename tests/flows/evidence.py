"""What must always hold, DESIGN.md, 5: I1 (once, on one timeline), I2 (a rebuild is equal), I3 (one known fate)."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.flows.mails import parsed, text_of
from tests.flows.stage import Stage, eventually
from tests.peers.process import PeerError

FATES = ("sent", "failed", "unknown")
READING_PAUSE = 0.5
"""To read every timeline keeps Okno from what is waited for."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything on the timelines, read once. `inbound` and `replies` are by text."""

    entries: list[dict[str, Any]]
    inbound: Counter[str]
    replies: dict[str, dict[str, Any]]


NOTHING = Evidence([], Counter(), {})


def gather(stage: Stage) -> Evidence:
    entries = [
        entry
        for customer in stage.all("/customers")
        for entry in stage.all(f"/customers/{customer['id']}/timeline")
        if entry["kind"] in ("text", "form", "call", "note")
    ]
    inbound = Counter(entry["text"].strip() for entry in entries if entry["direction"] == "inbound")
    replies = {entry["text"]: entry for entry in entries if entry["direction"] == "outbound"}
    return Evidence(entries, inbound, replies)


def wait_for_inbound(stage: Stage, texts: Iterable[str], timeout_seconds: float = 60) -> Evidence:
    """Return the evidence as soon as all the texts are on timelines. Raises PeerError naming what is missing."""
    wanted, seen = set(texts), NOTHING

    def complete() -> bool:
        nonlocal seen
        seen = gather(stage)
        return wanted <= seen.inbound.keys()

    try:
        eventually(complete, timeout_seconds, "every message", READING_PAUSE)
    except Exception as error:
        error.add_note(f"missing: {sorted(wanted - seen.inbound.keys())[:10]}")
        raise
    return seen


def wait_for_fates(stage: Stage, texts: Iterable[str], timeout_seconds: float = 60) -> Evidence:
    """Return the evidence as soon as every reply has its fate."""
    wanted, seen = set(texts), NOTHING

    def settled() -> bool:
        nonlocal seen
        seen = gather(stage)
        return all(text in seen.replies and seen.replies[text]["delivery"]["state"] in FATES for text in wanted)

    try:
        eventually(settled, timeout_seconds, "the fate of every reply", READING_PAUSE)
    except Exception as error:
        states = {text: seen.replies.get(text, {}).get("delivery") for text in sorted(wanted)}
        error.add_note(f"states: {[each for each in states.items() if (each[1] or {}).get('state') not in FATES][:10]}")
        raise
    return seen


def assert_everything(
    stage: Stage,
    *,
    confirmed: Iterable[str],
    replies: Iterable[str] = (),
    perhaps: Iterable[str] = (),
    of: str = "",
    repeats_allowed: bool = False,
    all_sent: bool = True,
    within_seconds: float = 60,
) -> Evidence:
    """Check I1, I2 and I3 and that nothing is left waiting; the texts are what each message says.

    `of`: what the texts of this test, and of no other on this stage, begin with; empty on a stage of one's own.
    `perhaps`: posted without an answer, so there once or not at all. `repeats_allowed`: a sender was killed in the
    middle, so a mail may have gone twice, as the same mail with the same Message-ID.
    """
    confirmed, replies = list(confirmed), list(replies)
    wait_for_inbound(stage, confirmed, within_seconds)
    seen = wait_for_fates(stage, replies, within_seconds)
    assert {text: seen.inbound[text] for text in confirmed} == dict.fromkeys(confirmed, 1)
    mine = {text: times for text, times in seen.inbound.items() if text.startswith(of)}
    assert mine.keys() <= {*confirmed, *perhaps}
    assert max(mine.values(), default=0) <= 1
    ids = Counter(entry["id"] for entry in seen.entries)
    assert [id_ for id_, times in ids.items() if times > 1] == []
    assert_one_fate(stage, seen, replies, of, repeats_allowed=repeats_allowed)
    fates = Counter(seen.replies[text]["delivery"]["state"] for text in replies)
    assert not all_sent or set(fates) <= {"sent"}, fates
    assert bugs(stage) == []
    wait_for_no_lag(stage, within_seconds)
    stage.okno("rebuild", "--check", "--json")
    return seen


def assert_one_fate(stage: Stage, seen: Evidence, replies: list[str], of: str, *, repeats_allowed: bool) -> None:
    """Each reply is on the timeline once and reached the mail server as one mail."""
    shown = Counter(entry["text"] for entry in seen.entries if entry["direction"] == "outbound")
    assert {text: times for text, times in shown.items() if text.startswith(of)} == dict.fromkeys(replies, 1)
    mails: dict[str, list[str]] = defaultdict(list)
    for mail in list(stage.smtp.mails):
        text = text_of(mail.raw).split("\n\n")[0].strip()
        mails[text].append(str(parsed(mail.raw)["Message-ID"]))
    assert {text for text in mails if text.startswith(of)} <= set(replies)
    for text in replies:
        reply = seen.replies[text]
        if reply["delivery"]["state"] == "sent":
            assert set(mails[text]) == {reply["external_id"]}
        assert len(set(mails[text])) <= 1
        assert repeats_allowed or len(mails[text]) <= 1


def bugs(stage: Stage) -> list[dict[str, Any]]:
    """What Okno logged as an error of its own code; outages are warnings, and libraries speak for themselves."""
    lines = [line for service in stage.services for line in service.process.logged() if line.get("level") == "error"]
    own = ("/services/", "/shared/")
    return [
        line
        for line in lines
        if line["from"].startswith("okno") or any(path in line.get("traceback", "") for path in own)
    ]


def wait_for_no_lag(stage: Stage, timeout_seconds: float = 60) -> None:
    def none_behind() -> bool:
        return not any(_lags(stage)) and not any(_behind(stage))

    try:
        eventually(none_behind, timeout_seconds, "lag 0")
    except PeerError as error:
        raise PeerError(f"{error}: channels {_lags(stage)}, read models {_behind(stage)}") from None


def _lags(stage: Stage) -> list[int]:
    return [channel["lag"] or 0 for channel in stage.get("/channels")["items"]]


def _behind(stage: Stage) -> list[float]:
    figures: list[float] = []
    for service in stage.named("projector"):
        metrics = stage.api.get(f"{service.url}/metrics").text
        told = [line for line in metrics.splitlines() if line.startswith("okno_read_models_behind")]
        figures += [float(line.split()[1]) for line in told] or [float("inf")]  # while that is not known
    return figures
