"""The disk is full: nothing is confirmed and lost; when there is room again all goes on by itself (embedded mode)."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.evidence import assert_everything
from tests.flows.stage import Stage, eventually

SIZE = 24 * 1024 * 1024
BIG = "x" * 60_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB; mounting one takes root and a kernel that permits it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "okno-test", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_posts_to_a_full_disk_are_told_to_come_again_and_nothing_confirmed_is_lost(small_disk: Path) -> None:
    with Stage(settings={"OKNO_DATA": str(small_disk / "data")}) as stage:
        confirmed = [text for number in range(5) if post(stage, text := f"before-{number}") == 200]
        ballast = small_disk / "ballast"
        fill(ballast)
        statuses: list[int] = []

        def refused() -> bool:
            text = f"full-{len(statuses)} {BIG}"
            statuses.append(post(stage, text))
            if statuses[-1] == 200:
                confirmed.append(text)
            return statuses[-1] != 200

        eventually(refused, 60, "a refusal")
        assert statuses[-1] == 503
        assert set(statuses) <= {200, 503}
        ballast.unlink()
        assert shutil.disk_usage(small_disk).free > 1024 * 1024
        eventually(lambda: post(stage, "after") == 200, what="a confirmed post")
        assert_everything(stage, confirmed=[*confirmed, "after"], perhaps=[f"full-{len(statuses) - 1} {BIG}"])


def post(stage: Stage, text: str) -> int:
    fields = {"email": "disk@example.com", "message": text}
    answer = stage.post_form(fields, key=text[:20])
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
    return answer.status_code


def fill(ballast: Path) -> None:
    """Leave nearly nothing free."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 65_536)
