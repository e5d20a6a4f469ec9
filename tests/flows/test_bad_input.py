"""What is wrong is refused with a problem answer or stands in the quarantine; it stores nothing and stops nobody."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.flows.evidence import bugs, gather
from tests.flows.mails import first_mail
from tests.flows.stage import SUPPORT, Stage, corpora, eventually
from tests.flows.traces import logged, traces
from tests.peers.okno import ROOT

FORM, API = "/in/forms/{form}", "/api/v1"
MEGABYTE = 1024 * 1024
UUID_OF_NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Bad:
    """A request and the status it deserves."""

    name: str
    status: int
    method: str = "POST"
    path: str = FORM
    content: bytes | Callable[[], bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    signed_in: bool = False

    @property
    def body(self) -> bytes:
        return self.content() if callable(self.content) else self.content


URLENCODED = {"content-type": "application/x-www-form-urlencoded"}
STRANGE = {"content-type": "application/x-www-form-urlencoded; charset=x"}
JSON = {"content-type": "application/json"}
MULTIPART = {"content-type": "multipart/form-data; boundary=b"}
TIMELINE = f"{API}/customers/{UUID_OF_NOBODY}/timeline"
SETUP = b'{"token":"x","email":"a@b.cd","password":"long enough 1"}'
SIGN_IN = b'{"email":"olga@okno.test","password":"x"}'
REPLIES = f"{API}/conversations/{UUID_OF_NOBODY}/replies"


def too_long() -> bytes:
    return b" " * MEGABYTE + b"{}"


BAD = [
    Bad("a form larger than 10 MB", 413, content=lambda: b"message=" + b"x" * (10 * MEGABYTE), headers=URLENCODED),
    Bad("a field larger than 64 KB", 413, content=lambda: b"message=" + b"x" * (64 * 1024 + 1), headers=URLENCODED),
    Bad("more than 200 fields", 413, content=b"&".join(b"f%d=x" % n for n in range(201)), headers=URLENCODED),
    Bad("JSON nested too deep", 413, content=b'{"a":' * 20 + b"1" + b"}" * 20, headers=JSON),
    Bad("an unknown channel", 404, path=f"/in/forms/{UUID_OF_NOBODY}", content=b"message=x", headers=URLENCODED),
    Bad("a channel of another kind", 404, path="/in/forms/{mailbox}", content=b"message=x", headers=URLENCODED),
    Bad("broken JSON", 400, content=b'{"message": "x"', headers=JSON),
    Bad("JSON that is no object", 400, content=b'["x"]', headers=JSON),
    Bad("broken multipart", 400, content=b"--b\r\nno end", headers=MULTIPART),
    Bad("control characters", 400, content=b"message=\x00\x01", headers=URLENCODED),
    Bad("a body of another type", 415, content=b"<message/>", headers={"content-type": "text/xml"}),
    Bad("an unknown charset", 415, content=b"message=x", headers=STRANGE),
    Bad("a compressed body", 415, content=b"message=x", headers={**URLENCODED, "content-encoding": "gzip"}),
    Bad("an empty form", 422, content=b"message=&name=", headers=URLENCODED),
    Bad("a wrong method on a form", 405, method="GET"),
    Bad("a wrong method on the API", 405, method="PUT", path=f"{API}/conversations", signed_in=True),
    Bad("an unknown address of the API", 404, method="GET", path=f"{API}/nothing", signed_in=True),
    Bad("no token", 401, method="GET", path=f"{API}/conversations"),
    Bad("a wrong token", 401, method="GET", path=f"{API}/events", headers={"authorization": "Bearer wrong"}),
    Bad("an unknown conversation", 404, method="GET", path=f"{API}/conversations/{UUID_OF_NOBODY}", signed_in=True),
    Bad("an id that is none", 404, method="GET", path=f"{API}/conversations/17", signed_in=True),
    Bad("a reply in broken JSON", 400, path=REPLIES, content=b"{", headers=JSON, signed_in=True),
    Bad("a reply without text", 422, path=REPLIES, content=b"{}", headers=JSON, signed_in=True),
    Bad("a reply larger than 1 MB", 413, path=REPLIES, content=too_long, headers=JSON, signed_in=True),
    Bad("a reply to nobody", 404, path=REPLIES, content=b'{"text":"x"}', headers=JSON, signed_in=True),
    Bad("a limit out of range", 422, method="GET", path=f"{API}/conversations?limit=100000", signed_in=True),
    Bad("a time that is none", 422, method="GET", path=f"{TIMELINE}?as_of=soon", signed_in=True),
    Bad("a setup link that is none", 422, path=f"{API}/setup", content=SETUP, headers=JSON),
    Bad("a wrong password", 401, path=f"{API}/session", content=SIGN_IN, headers=JSON),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_request_is_a_problem_and_leaves_nothing(stage: Stage, bad: Bad) -> None:
    before, errors = traces(stage), bugs(stage)
    answer = ask(stage, bad)
    assert (answer.status_code, answer.headers["content-type"]) == (bad.status, "application/problem+json")
    problem = answer.json()
    assert problem["status"] == bad.status
    assert problem["title"]
    assert traces(stage) == before
    assert bugs(stage) == errors


def ask(stage: Stage, bad: Bad) -> httpx.Response:
    path = bad.path.format(**stage.channels)
    base = stage.form_url().partition("/in/")[0] if path.startswith("/in/") else stage.url
    headers = {**bad.headers, **({"authorization": f"Bearer {stage.token}"} if bad.signed_in else {})}
    return httpx.request(
        bad.method, base + path, content=bad.body, headers=headers, timeout=30, trust_env=False, verify=False
    )


def test_a_bad_request_is_logged_once_at_most(stage: Stage) -> None:
    """Asked so often that a line which is nobody's answer does not count."""
    before, asked = len(logged(stage)), [bad for bad in BAD if bad.status in (400, 405, 415, 422)] * 3
    for bad in asked:
        assert ask(stage, bad).status_code == bad.status
    time.sleep(0.2)  # for a line that is written once the answer has gone
    assert len(logged(stage)) - before <= len(asked)


def test_a_mail_that_is_none_is_quarantined_with_its_bytes_and_the_next_one_goes_on(stage: Stage) -> None:
    raw = b"\r\n"
    stage.deliver(raw)
    stage.deliver(first_mail("next@example.com", SUPPORT, "Next", "the next one goes on", f"<{uuid4()}@example.com>"))
    stage.conversation_with("the next one goes on")
    item = eventually(lambda: next(iter(quarantined(stage)), None), what="a quarantined item")
    assert (item["state"], item["channel"]["name"], item["reason"]) == ("waiting", "mailbox", "the mail is empty")
    assert stage.api.get(f"{stage.url}{item['raw']['url']}").content == raw
    assert item["raw"]["size"] == len(raw)


def test_a_quarantined_mail_that_is_retried_comes_back_with_the_reason_of_today(stage: Stage) -> None:
    stage.deliver(b" \r\n \r\n")
    item = eventually(lambda: next((i for i in quarantined(stage) if i["raw"]["size"] == 6), None), what="the item")
    assert stage.api.post(f"/quarantine/{item['id']}/retry", json={}).status_code == 202
    expected = ["InboundQuarantined", "QuarantineRetried", "InboundQuarantined"]
    eventually(lambda: happened(stage, item["id"]) == expected, what="the item waiting again")
    eventually(lambda: bool(one(stage, item["id"])["state"] == "waiting"), what="the list to show it")
    assert one(stage, item["id"])["reason"] == "the mail is empty"


def happened(stage: Stage, item_id: str) -> list[str]:
    """The types of the events of an item, oldest first."""
    items = stage.get("/events", limit=500)["items"]
    return [event["type"] for event in items if event["data"].get("item_id") == item_id]


def quarantined(stage: Stage) -> list[dict[str, Any]]:
    return list(stage.all("/quarantine"))


def one(stage: Stage, item_id: str) -> dict[str, Any]:
    return next(item for item in quarantined(stage) if item["id"] == item_id)


BUGGY = """
import pathlib, sys
sys.path.insert(0, {root!r})
from shared.channels.email import quotes
right = quotes.new_text
def new_text(*arguments):
    if pathlib.Path({bug!r}).exists():
        raise KeyError("a bug of today")
    return right(*arguments)
quotes.new_text = new_text
"""


def test_a_mail_that_met_a_bug_is_on_the_timeline_once_the_bug_is_mended_and_it_is_retried(tmp_path: Path) -> None:
    bug = tmp_path / "bug"
    bug.touch()
    (tmp_path / "sitecustomize.py").write_text(BUGGY.format(root=str(ROOT), bug=str(bug)))
    with Stage(settings={"PYTHONPATH": str(tmp_path)}) as stage:
        stage.deliver(first_mail("early@example.com", SUPPORT, "Early", "too early", "<early@example.com>"))
        item = eventually(lambda: next(iter(quarantined(stage)), None), what="a quarantined item")
        assert (item["reason"], stage.conversations()) == ("KeyError: 'a bug of today'", [])
        bug.unlink()
        assert stage.api.post(f"/quarantine/{item['id']}/retry", json={}).status_code == 202
        assert stage.conversation_with("too early")["customer"]["address"] == "early@example.com"
        assert one(stage, item["id"])["state"] == "resolved"
        assert [line["event"] for line in bugs(stage)] == ["parse_failed"]


def poison() -> list[Path]:
    return sorted((corpora() / "poison").glob("*.eml"))


def test_hostile_mails_are_shown_or_quarantined_and_the_next_mail_comes_within_5_seconds(stage: Stage) -> None:
    mails = poison()
    if not mails:
        pytest.skip("13 hostile mails of ../shared/corpora/poison are not here")
    seen, items = stage.events_count(), len(quarantined(stage))
    slowest = 0.0
    for mail in mails:
        stage.deliver(mail.read_bytes())
        text, begun = f"after {mail.name}", time.monotonic()
        stage.deliver(first_mail("after@example.com", SUPPORT, text, text, f"<{uuid4()}@example.com>"))
        stage.conversation_with(text)
        slowest = max(slowest, time.monotonic() - begun)
    assert slowest < 5.0
    events = stage.get("/events", after=seen, limit=500)["items"]
    shown = [event["data"]["raw"]["sha256"] for event in events if event["type"] == "MessageReceived"]
    held = [item["raw"]["sha256"] for item in quarantined(stage)[: len(quarantined(stage)) - items]]
    assert len(set(shown + held)) == len(shown + held) == 2 * len(mails)
    kept = [entry["raw"] for entry in [*gather(stage).entries, *quarantined(stage)] if entry["raw"]]
    urls = {raw["sha256"]: raw["url"] for raw in kept}
    for digest in shown + held:
        assert sha256(stage.api.get(f"{stage.url}{urls[digest]}").content).hexdigest() == digest
