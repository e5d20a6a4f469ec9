"""What README.md says of `okno replay`, done as it stands: its command lines, and its projection mine.py."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path

import pytest

from services.house import House
from shared.event_store.store import EventStore
from tests.examples import AT, Clock
from tests.read_models.histories import Step, history
from tests.read_models.test_read_models import record
from tests.services.command_line import Cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
HEADINGS = {
    "first_response.py": "channel,hour,asked,answered,fastest,average,slowest",
    "missed_calls.py": "number,since,calls",
    "funnel.py": "channel,opened,answered,within_the_hour,closed",
}
STEPS: list[Step] = [("message", 0, 1), ("missed", 1, 0), ("missed", 1, 1), ("reply", 0, 0), ("missed", 2, 0)]


def commands() -> list[list[str]]:
    return [
        shlex.split(line, comments=True)[1:] for line in re.findall(r"^    (okno replay .+)$", README, re.MULTILINE)
    ]


@pytest.fixture
def desk(okno: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A day of messages and calls, and a folder like the checkout with README's mine.py in it."""

    async def work(house: House) -> None:
        await record(EventStore(house.database, Clock(AT)), history(STEPS))

    okno.in_house(work)
    (block,) = re.findall(r"^    class \w+: +# mine\.py\n(?:    .+\n)+", README, re.MULTILINE)
    (tmp_path / "mine.py").write_text(textwrap.dedent(block))
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    monkeypatch.chdir(tmp_path)
    return okno


def test_the_projection_of_ones_own_counts_calls_by_day_into_the_file_that_the_command_names(desk: Cli) -> None:
    (command,) = [each for each in commands() if each[1].startswith("mine.py:")]
    assert desk(*command) == "1 rows in answer.csv\n"
    assert Path("answer.csv").read_text() == f"day,n\n{AT.date()},3\n"


def test_the_examples_run_from_the_checkout(desk: Cli) -> None:
    (command,) = [each for each in commands() if each[1].startswith("deploy/")]
    others = [f"deploy/projections/{name}" for name in ("missed_calls.py:MissedCalls", "funnel.py:Funnel")]
    for example in (command[1], *others):
        desk("replay", example, "--out", "shown.csv")
        assert Path("shown.csv").read_text().splitlines()[0] == HEADINGS[Path(example.partition(":")[0]).name]


def test_each_example_is_as_short_as_the_readme_says() -> None:
    said = re.search(r"(\d+) to (\d+) lines each", README)
    assert said is not None
    lengths = [len((ROOT / "deploy" / "projections" / name).read_text().splitlines()) for name in HEADINGS]
    assert (min(lengths), max(lengths)) == (int(said[1]), int(said[2]))
