"""What `docker compose config` would refuse in deploy/compose.yaml, told without Docker, and more strictly.

The shapes are those of the Compose Specification (https://github.com/compose-spec/compose-spec), of the keys that stand
in our file: a further key wants its shape here first.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()


class NoKeyTwice(yaml.SafeLoader):
    """Refuses what Compose refuses and YAML for Python takes silently: the same key twice in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key stands twice, line {node.start_mark.line + 1}: {keys}"
        return super().construct_mapping(node, deep)


def loaded(text: str) -> Any:
    return yaml.load(text, NoKeyTwice)


# --- shapes -----------------------------------------------------------------------------------------------

Shape = Callable[[Any], bool] | Mapping[str, Any]


def text(value: Any) -> bool:
    return isinstance(value, str)


def number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def nothing(value: Any) -> bool:
    return value is None


def words(value: Any) -> bool:
    """The words of a command: a bare 8001 or yes is none to YAML."""
    return isinstance(value, list) and all(map(text, value))


def table(value: Any) -> bool:
    return isinstance(value, dict) and all(
        text(k) and isinstance(v, str | int | float | None) for k, v in value.items()
    )


def like(pattern: str) -> Callable[[Any], bool]:
    return lambda value: text(value) and re.fullmatch(pattern, value) is not None


def several(pattern: str) -> Callable[[Any], bool]:
    """A list in which nothing stands twice."""
    return lambda value: words(value) and len(value) == len(set(value)) and all(map(like(pattern), value))


def health_test(value: Any) -> bool:
    return words(value) and len(value) > 1 and value[0] in ("CMD", "CMD-SHELL")


DURATION, SIZE = like(r"(\d+(us|ms|s|m|h))+"), like(r"\d+(b|k|m|g|kb|mb|gb)")
NAME = re.compile(r"[a-zA-Z0-9._-]+")
HEALTH = {"test": health_test, "interval": DURATION, "timeout": DURATION, "retries": number, "start_period": DURATION}
SERVICE: Mapping[str, Shape] = {
    "image": text,
    "build": {"context": text, "dockerfile": text},
    "command": words,
    "environment": table,
    "volumes": several(r"[^:]+:/[^:]+(:ro|:rw)?"),
    "tmpfs": several(r"/.*"),
    "ports": several(r"([\d.]+:)?\d+:\d+(/tcp|/udp)?"),
    "depends_on": {NAME.pattern: {"condition": like("service_started|service_healthy|service_completed_successfully")}},
    "healthcheck": HEALTH,
    "deploy": {"replicas": number},
    "restart": like("no|always|unless-stopped|on-failure(:[0-9]+)?"),
    "stop_grace_period": DURATION,
    "shm_size": SIZE,
    "read_only": flag,
    "cap_drop": several("[A-Z_]+"),
    "security_opt": several(".+"),
    "logging": {"driver": text, "options": table},
}
FILE = {"services": {NAME.pattern: SERVICE}, "volumes": {NAME.pattern: nothing}, "x-.*": lambda value: True}


def misshapen(value: Any, shape: Shape, place: str = "") -> Iterator[str]:
    """Give the places whose value has not its shape; keys of a shape are patterns, and all other keys are unknown."""
    if not isinstance(shape, Mapping):
        if not shape(value):
            yield f"{place}: {value!r}"
    elif not isinstance(value, dict):
        yield f"{place}: {value!r} is no mapping"
    else:
        for key, held in value.items():
            fitting = [of_key for pattern, of_key in shape.items() if text(key) and re.fullmatch(pattern, key)]
            below = f"{place}.{key}".lstrip(".")
            yield from misshapen(held, fitting[0], below) if fitting else [f"{below}: unknown"]


# --- what names something else ----------------------------------------------------------------------------


def dangling(compose: Any) -> Iterator[str]:
    """Give what is named and not there, or there and never named."""
    services = compose["services"]
    mounted = {volume.partition(":")[0] for one in services.values() for volume in one.get("volumes", [])}
    named = {source for source in mounted if not source.startswith((".", "/"))}
    yield from (f"volume {name}" for name in named ^ set(compose["volumes"]))
    yield from (f"file {source}" for source in mounted - named if not (DEPLOY / source).exists())
    for name, one in services.items():
        yield from _without_image(name, one)
        yield from _waits_in_vain(name, one.get("depends_on", {}), services)


def _without_image(name: str, service: Any) -> Iterator[str]:
    if build := service.get("build"):
        recipe = DEPLOY / build["context"] / build.get("dockerfile", "Dockerfile")
        if not recipe.is_file():
            yield f"{name}: no {recipe.name}"
    elif "image" not in service:
        yield f"{name}: neither image nor build"


def _waits_in_vain(name: str, depends_on: Any, services: Any) -> Iterator[str]:
    for other, how in depends_on.items():
        if other not in services:
            yield f"{name} waits for {other}, which is no service"
        elif how["condition"] == "service_healthy" and "healthcheck" not in services[other]:
            yield f"{name} waits for the health of {other}, which has no check"


def circle(compose: Any) -> list[str]:
    try:
        TopologicalSorter({name: one.get("depends_on", {}) for name, one in compose["services"].items()}).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def without_default(file: str) -> list[str]:
    """Return the $ of a file that are no ${NAME:-default}, comments aside; $$ is a plain $."""
    lines = [re.sub(r"(^|\s)#.*", "", line) for line in file.splitlines()]
    return re.findall(r"\$\S*", re.sub(r"\$\$|\$\{[A-Z_]+:-[^$}]*\}", "", "\n".join(lines)))


# --- the tests --------------------------------------------------------------------------------------------


def test_every_key_of_compose_is_known_and_its_value_has_the_shape_that_compose_wants() -> None:
    assert list(misshapen(loaded(TEXT), FILE)) == []


def test_all_that_compose_names_is_there_and_nobody_waits_for_who_waits_for_them() -> None:
    assert list(dangling(loaded(TEXT))) == []
    assert circle(loaded(TEXT)) == []


def test_every_variable_of_compose_has_a_default_and_stands_in_the_example() -> None:
    assert without_default(TEXT) == []
    example = re.findall(r"^([A-Z_]+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE)
    assert set(re.findall(r"\$\{([A-Z_]+)", TEXT)) <= set(example)


@pytest.mark.parametrize(
    ("service", "key", "value", "told"),
    [
        ("ingest", "comand", ["ingest"], ["services.ingest.comand: unknown"]),
        ("ingest", "command", ["ingest", "--port", 8001], ["services.ingest.command: ['ingest', '--port', 8001]"]),
        ("kafka", "healthcheck", {"test": "true"}, ["services.kafka.healthcheck.test: 'true'"]),
        ("kafka", "stop_grace_period", 60, ["services.kafka.stop_grace_period: 60"]),
        ("kafka", "environment", {"A": ["b"]}, ["services.kafka.environment: {'A': ['b']}"]),
        ("kafka", "restart", False, ["services.kafka.restart: False"]),
        ("outbound", "deploy", {"replicas": "two"}, ["services.outbound.deploy.replicas: 'two'"]),
        ("gateway", "ports", ["8000:8000", "8000:8000"], ["services.gateway.ports: ['8000:8000', '8000:8000']"]),
        ("gateway", "depends_on", {"api": {"condition": "up"}}, ["services.gateway.depends_on.api.condition: 'up'"]),
        ("gateway", "depends_on", ["ingest"], ["services.gateway.depends_on: ['ingest'] is no mapping"]),
        ("gateway", "image", None, ["services.gateway.image: None"]),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told(service: str, key: str, value: object, told: list[str]) -> None:
    compose = copy.deepcopy(loaded(TEXT))
    compose["services"][service][key] = value
    assert list(misshapen(compose, FILE)) == told


@pytest.mark.parametrize(
    ("service", "key", "value", "told"),
    [
        ("kafka", "volumes", ["cafka:/data"], ["volume cafka", "volume kafka"]),
        ("gateway", "volumes", ["gateway:/data", "./Cadyfile:/etc/caddy"], ["file ./Cadyfile"]),
        ("kafka", "image", ..., ["kafka: neither image nor build"]),
        ("ingest", "build", {"context": "..", "dockerfile": "Dockerfile"}, ["ingest: no Dockerfile"]),
        (
            "gateway",
            "depends_on",
            {"api": {"condition": "service_started"}},
            ["gateway waits for api, which is no service"],
        ),
    ],
)
def test_what_is_not_there_is_told(service: str, key: str, value: object, told: list[str]) -> None:
    compose = copy.deepcopy(loaded(TEXT))
    compose["services"][service][key] = value
    if value is ...:
        del compose["services"][service][key]
    assert sorted(dangling(compose)) == told


def test_waiting_for_health_that_nobody_checks_and_waiting_in_a_circle_are_told() -> None:
    compose = copy.deepcopy(loaded(TEXT))
    compose["services"]["kafka"] = {"image": "kafka", "depends_on": {"gateway": {"condition": "service_started"}}}
    compose["services"]["kafka"]["volumes"] = ["kafka:/data"]
    waiting = {name for name, one in compose["services"].items() if "kafka" in one.get("depends_on", {})}
    assert set(dangling(compose)) == {f"{name} waits for the health of kafka, which has no check" for name in waiting}
    assert {"kafka", "gateway"} < set(circle(compose))


def test_a_key_that_stands_twice_and_a_variable_without_default_are_told() -> None:
    with pytest.raises(AssertionError, match="a key stands twice"):
        loaded(TEXT.replace("    restart:", "    image: other\n    restart:", 1))
    assert without_default("a: ${A:-b} $$c # $d\nb: ${B} $C ${D:?no}") == ["${B}", "$C", "${D:?no}"]
