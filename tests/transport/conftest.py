"""`house` runs a test over both transports."""

from pathlib import Path

import pytest

from tests.transport.house import House


@pytest.fixture
def embedded_house(tmp_path: Path) -> House:
    return House(f"sqlite:///{tmp_path / 'okno.db'}")


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.cluster)])
def house(request: pytest.FixtureRequest) -> House:
    if request.param == "kafka":
        return House(f"kafka://{request.getfixturevalue('kafka').bootstrap}")
    found: House = request.getfixturevalue("embedded_house")
    return found
