"""Updates and messages that other projects published: each is kept and says something. Skipped if absent."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.channels.telegram.content import UNSUPPORTED
from shared.parsed import Parsed
from tests.channels.telegram.bots import read

CORPUS = Path(__file__).parents[4] / "shared" / "corpora" / "telegram"
SAMPLES = 160
SUPPORTED = 0.9


def bodies(folder: str) -> dict[str, Any]:
    if not CORPUS.exists():
        pytest.skip(f"corpora/telegram: {SAMPLES} samples are not here")
    return {path.name: json.loads(path.read_text()) for path in sorted((CORPUS / folder).glob("*.json"))}


def updates() -> dict[str, Any]:
    """All updates, all messages as if they had come in one, and answers to calls, which are none."""
    found = bodies("updates") | {f"gap/{name}": body for name, body in bodies("updates_gap").items()}
    found |= {f"messages/{n}": _as_update(body) for n, body in bodies("messages").items()}
    found |= {f"other/{n}": body for n, body in bodies("other").items()}
    return found


def test_no_sample_raises_and_each_says_something() -> None:
    for name, update in updates().items():
        parsed = read(update)
        said = parsed.text or parsed.remote_files or parsed.about
        assert said, name
        assert parsed.sender.address, name
        assert parsed.external_id, name
        json.dumps([parsed.text, parsed.html, parsed.full_text]).encode()


def test_every_sample_update_is_told_from_every_other() -> None:
    found = bodies("updates") | bodies("updates_gap")
    keys = {name: _key(read(update)) for name, update in found.items()}
    by_key: dict[str, list[str]] = {}
    for name, key in keys.items():
        by_key.setdefault(key, []).append(name)
    for key, names in by_key.items():
        same = len({json.dumps(_body(found[name]), sort_keys=True) for name in names}) == 1
        same |= len({_message_id(found[name]) for name in names}) == 1
        assert same or "/migrated/" in key, names  # a migration is told in both chats


def test_what_aiogram_knows_is_understood() -> None:
    samples = {name: read(update) for name, update in updates().items() if not name.startswith("other/")}
    unsupported = {name for name, parsed in samples.items() if parsed.text.startswith(UNSUPPORTED)}
    assert len(unsupported) <= (1 - SUPPORTED) * len(samples), sorted(unsupported)


def _as_update(body: dict[str, Any]) -> dict[str, Any]:
    if "update_id" in body:
        return body
    kind = "message_reaction" if "new_reaction" in body else "message"
    return {"update_id": 1, "message_reaction_count" if "reactions" in body else kind: body}


def _key(parsed: Parsed) -> str:
    return parsed.dedup_key or parsed.external_id


def _body(update: dict[str, Any]) -> Any:
    return {name: value for name, value in update.items() if name != "update_id"}


def _message_id(update: dict[str, Any]) -> Any:
    body = next((value for value in update.values() if isinstance(value, dict)), {})
    return body.get("chat", {}).get("id"), body.get("message_id"), body.get("edit_date")
