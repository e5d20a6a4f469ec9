"""Clients and operators who never tire: forms, mails and replies, and a record of what each was promised.

A form with a key is posted again until it is confirmed; one without a key is posted once and may get no answer.
"""

import random
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.flows.evidence import assert_everything
from tests.flows.mails import first_mail
from tests.flows.stage import SUPPORT, Stage

FORM_SECONDS, MAIL_SECONDS, REPLY_SECONDS = 0.06, 0.2, 0.3


class Load:
    """Runs in threads from `__enter__` to `__exit__`; the lists are complete afterwards."""

    def __init__(self, stage: Stage, name: str, *, seed: int = 1) -> None:
        self.stage, self.name = stage, f"{name}-{uuid4().hex[:6]}"  # a test that is run again on its stage is another
        self.confirmed: list[str] = []
        self.perhaps: list[str] = []
        self.mails: list[str] = []
        self.replies: list[str] = []
        self.answers: list[tuple[int, bool]] = []
        """The status of every post that was answered, and whether a refusal said when to come back."""
        self._chance = random.Random(seed)
        self._stop = threading.Event()
        self._broken: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=work.__name__, daemon=True)
            for work in (self._post_forms, self._deliver_mails, self._reply)
        ]

    @property
    def accepted(self) -> list[str]:
        """What must be on timelines: confirmed posts, and everything in the mailbox."""
        return [*self.confirmed, *self.mails]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        if kind is None:
            for broken in self._broken:
                raise broken
            assert not any(thread.is_alive() for thread in self._threads)

    def assert_everything(
        self, *, repeats_allowed: bool = False, all_sent: bool = True, within_seconds: float = 60
    ) -> None:
        """Nothing of this load is missing, nothing is doubled, and nothing waits after `within_seconds`."""
        assert_everything(
            self.stage,
            confirmed=self.accepted,
            perhaps=self.perhaps,
            replies=self.replies,
            of=self.name,
            repeats_allowed=repeats_allowed,
            all_sent=all_sent,
            within_seconds=within_seconds,
        )

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._broken.append(error)

    def _post_forms(self) -> None:
        with httpx.Client(timeout=10, trust_env=False, verify=False) as client:
            number = 0
            while not self._stop.is_set():
                number += 1
                text = f"{self.name}-form-{number:05}"
                if self._chance.random() < 0.5:
                    self._insist(lambda text=text, n=number: self._post(client, text, n, text))  # type: ignore[misc]
                    self.confirmed.append(text)
                elif self._post(client, text, number, ""):
                    self.confirmed.append(text)
                else:
                    self.perhaps.append(text)
                self._stop.wait(FORM_SECONDS)

    def _post(self, client: httpx.Client, text: str, number: int, key: str) -> bool:
        """Whether the post was confirmed. One client in seven writes again."""
        fields = {"name": "Client", "email": f"{self.name}-{number % 7}@example.com", "message": text}
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = client.post(self.stage.form_url(number), data=fields, headers=headers)
        except httpx.TransportError:
            return False
        self.answers.append((answer.status_code, "retry-after" in answer.headers))
        return answer.status_code == 200

    def _deliver_mails(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            text = f"{self.name}-mail-{number:05}"
            sender = f"{self.name}-m{number % 5}@example.com"
            self.stage.deliver(first_mail(sender, SUPPORT, text, text, f"<{text}@example.com>"))
            self.mails.append(text)
            self._stop.wait(MAIL_SECONDS)

    def _reply(self) -> None:
        signed_in = {"Authorization": f"Bearer {self.stage.token}"}
        with httpx.Client(timeout=10, trust_env=False, verify=False, headers=signed_in) as client:
            number = 0
            while not self._stop.is_set():
                if conversations := self._open_conversations(client):
                    number += 1
                    text, id_ = f"{self.name}-reply-{number:05}", str(uuid4())
                    path = f"/conversations/{self._chance.choice(conversations)['id']}/replies"
                    self._insist(lambda p=path, i=id_, t=text: self._post_reply(client, p, i, t))  # type: ignore[misc]
                    self.replies.append(text)
                self._stop.wait(REPLY_SECONDS)

    def _open_conversations(self, client: httpx.Client) -> list[dict[str, Any]]:
        try:
            answer = client.get(f"{self.stage.url}/api/v1/conversations", params={"limit": 20})
        except httpx.TransportError:
            return []
        return list(answer.json()["items"]) if answer.status_code == 200 else []

    def _post_reply(self, client: httpx.Client, path: str, id_: str, text: str) -> bool:
        try:
            answer = client.post(f"{self.stage.url}/api/v1{path}", json={"id": id_, "text": text})
        except httpx.TransportError:
            return False
        assert answer.status_code in (201, 503), answer.text
        return answer.status_code == 201

    @staticmethod
    def _insist(ask: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not ask():
            assert time.monotonic() < deadline, "no confirmation for a minute"
            time.sleep(0.1)
