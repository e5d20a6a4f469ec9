"""What `make test` needs is found, or its absence said; what only makes the tests quicker may be missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers import install, kafka
from tests.peers.programs import MAVEN


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("java", "why"),
    [("-Xshare:off", "base CDS archive is not loaded"), ("-Xno:such", "cannot be formatted")],
    ids=["no archive", "no start"],
)
def test_a_java_that_keeps_no_classes_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, java: str, why: str
) -> None:
    monkeypatch.setattr(kafka, "ARCHIVE", tmp_path / "classes.jsa")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", java)
    told = install._describe(MAVEN)
    assert told.startswith("Apache Kafka: ")
    assert "starts slower, as its classes are not kept" in told
    assert why in told
    assert list(tmp_path.iterdir()) == []
