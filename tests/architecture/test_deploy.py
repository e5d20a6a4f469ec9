"""deploy/ is kept by hand; these tests hold its names, ports and metrics against the code that has them."""

import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from services import parts
from services.commands.run import PORTS
from services.house import open_house
from shared.settings import WrongSettings, read_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SERVICES = tuple(parts.ALL)
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
ENV_EXAMPLE = dict(re.findall(r"^([A-Z_]+)=(.*)$", (DEPLOY / "env.example").read_text(), re.MULTILINE))


class Asked(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@pytest.fixture
def settings_names(tmp_path: Path) -> set[str]:
    asked = Asked()
    read_settings(asked, tmp_path)
    return asked.names | {"OKNO_DATA"}  # not asked for when the folder is given


@pytest.fixture
async def metrics(tmp_path: Path) -> set[str]:
    """Return every name that /metrics of a process can show."""
    house = open_house(read_settings({}, tmp_path))
    gauges = {name for make in parts.ALL.values() for name in make(house, house.transport()).gauges}
    await house.close()
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
    return gauges | {f.name + suffix for f in REGISTRY.collect() for suffix in suffixes.get(f.type, [])}


def of_kind(kind: str) -> dict[str, Any]:
    found = [one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text()) if one["kind"] == kind]
    return {one["metadata"]["name"]: one for one in found}


def port_in(arguments: list[str]) -> int:
    return int(arguments[arguments.index("--port") + 1])


def okno_names(text: str) -> set[str]:
    return set(re.findall(r"\bOKNO_[A-Z_]+", text))


def test_docker_compose_accepts_the_file_with_the_example_environment() -> None:
    commands = (["docker", "compose"], ["docker-compose"])
    able = [
        c
        for c in commands
        if shutil.which(c[0]) and subprocess.run([*c, "version"], capture_output=True).returncode == 0
    ]
    if not able:
        pytest.skip("neither `docker compose` nor `docker-compose` is on this machine")
    files = ["-f", str(DEPLOY / "compose.yaml"), "--env-file", str(DEPLOY / "env.example")]

    done = subprocess.run([*able[0], *files, "config"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == {"kafka", "postgres", "gateway", *SERVICES}


def test_every_container_of_compose_has_a_health_check_and_is_started_again() -> None:
    assert [name for name, one in COMPOSE.items() if not one.get("healthcheck")] == []
    assert [name for name, one in COMPOSE.items() if one.get("restart") != "unless-stopped"] == []


def test_compose_runs_two_projectors_and_two_outbound() -> None:
    assert {name: COMPOSE[name]["deploy"]["replicas"] for name in ("projector", "outbound")} == {
        "projector": 2,
        "outbound": 2,
    }


def test_compose_publishes_nothing_beyond_this_machine() -> None:
    assert [port for one in COMPOSE.values() for port in one.get("ports", [])] == [f"127.0.0.1:8000:{PORTS['up']}"]


def test_compose_without_a_key_stops_with_a_line_that_says_how_to_make_one(tmp_path: Path) -> None:
    default = re.fullmatch(r"\$\{OKNO_SECRET_KEY:-(.+)\}", COMPOSE["ingest"]["environment"]["OKNO_SECRET_KEY"])
    assert default is not None
    with pytest.raises(WrongSettings, match="openssl rand"):
        read_settings({"OKNO_SECRET_KEY": default[1]}, tmp_path)


def test_compose_runs_the_kafka_that_the_tests_run() -> None:
    pom = (ROOT / "tests" / "peers" / "kafka-broker" / "pom.xml").read_text()
    version = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([\d.]+)</version>", pom)
    assert version is not None
    assert COMPOSE["kafka"]["image"] == f"apache/kafka:{version[1]}"


@pytest.mark.parametrize("service", SERVICES)
def test_compose_and_kubernetes_know_the_port_of(service: str) -> None:
    here = COMPOSE[service]
    pod = of_kind("Deployment")[service]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    ports = {
        "compose": port_in(here["command"]),
        "compose health": int(re.findall(r"127\.0\.0\.1:(\d+)/readyz", " ".join(here["healthcheck"]["test"]))[0]),
        "kubernetes": port_in(container["args"]),
        "kubernetes port": container["ports"][0]["containerPort"],
        "kubernetes metrics": int(pod["metadata"]["annotations"]["prometheus.io/port"]),
    }
    assert set(ports.values()) == {PORTS[service]}, ports
    assert (here["command"][0], container["args"][0]) == (service, service)


def test_gateway_ingress_and_prometheus_know_the_ports() -> None:
    known = {(name, PORTS[name]) for name in SERVICES}
    caddy = re.findall(r"reverse_proxy ([a-z-]+):(\d+)", (DEPLOY / "Caddyfile").read_text())
    scraped = [
        (one["names"][0], one["port"])
        for job in yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
        for one in job["dns_sd_configs"]
    ]
    services = {(name, one["spec"]["ports"][0]["port"]) for name, one in of_kind("Service").items()}
    assert {(name, int(port)) for name, port in caddy} == services
    assert services < known
    assert set(scraped) == known


def test_image_exposes_the_ports_and_checks_the_one_it_starts() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    exposed = re.findall(r"^EXPOSE (.+)$", dockerfile, re.MULTILINE)[0]
    command = json.loads(re.findall(r"^CMD (\[.+\])$", dockerfile, re.MULTILINE)[0])
    assert {int(port) for port in exposed.split()} == set(PORTS.values())
    assert port_in(command) == PORTS["up"]
    assert f"127.0.0.1:{PORTS['up']}/readyz" in dockerfile


def test_systemd_starts_what_the_command_line_has() -> None:
    unit = (DEPLOY / "systemd" / "okno.service").read_text()
    command = shlex.split(re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)[0])
    assert command == ["/opt/okno/bin/okno", "up", "--host", "127.0.0.1", "--port", str(PORTS["up"])]


def test_env_example_has_exactly_the_variables_that_settings_reads(settings_names: set[str]) -> None:
    assert {name for name in ENV_EXAMPLE if name.startswith("OKNO_")} == settings_names


def test_env_example_as_it_stands_is_the_embedded_mode_without_secrets(tmp_path: Path) -> None:
    settings = read_settings(ENV_EXAMPLE, tmp_path)
    assert settings.embedded
    assert settings.database_url == f"sqlite:///{tmp_path}/okno.db"
    assert settings.blobs == str(tmp_path / "blobs")
    assert (ENV_EXAMPLE["OKNO_SECRET_KEY"], ENV_EXAMPLE["POSTGRES_PASSWORD"]) == ("", "")


def test_no_file_names_a_variable_that_nobody_reads(settings_names: set[str]) -> None:
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    unknown = {str(path.relative_to(ROOT)): okno_names(path.read_text()) - settings_names for path in files}
    assert {path: names for path, names in unknown.items() if names} == {}


def test_dashboard_and_alerts_use_only_metrics_that_exist(metrics: set[str]) -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "okno.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    asked += [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    without_values = [re.sub(r'"[^"]*"', "", expression) for expression in asked]
    used = {name for text in without_values for name in re.findall(r"\b(?:okno|process|python)_[a-z_]+", text)}
    assert len(used) > 10
    assert used - metrics == set()


def test_every_alert_is_explained_to_the_person_who_gets_it() -> None:
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    readme = (DEPLOY / "README.md").read_text()
    names = [rule["alert"] for group in alerts["groups"] for rule in group["rules"]]
    assert [name for name in names if f"`{name}`" not in readme] == []


def test_kustomization_takes_every_manifest_but_the_template_of_the_secret() -> None:
    kustomization = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    others = {path.name for path in MANIFESTS} - {"kustomization.yaml", "secret.example.yaml"}
    assert set(kustomization["resources"]) == others


def test_every_deployment_is_probed_limited_locked_down_and_kept_alive_by_a_budget() -> None:
    deployments = of_kind("Deployment")
    assert set(deployments) == set(of_kind("PodDisruptionBudget")) == set(SERVICES)
    for deployment in deployments.values():
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
        assert container["resources"]["limits"]["memory"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_backup_that_is_taken_while_messages_arrive_is_whole(tmp_path: Path) -> None:
    data, target, done = tmp_path / "data", tmp_path / "backup", threading.Event()
    (data / "blobs" / "ab").mkdir(parents=True)
    (data / "blobs" / "ab" / "abc").write_bytes(b"an attachment")
    (data / "secret.key").write_text("key")
    with closing(sqlite3.connect(data / "okno.db", isolation_level=None, check_same_thread=False)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE messages (position INTEGER PRIMARY KEY, body BLOB)")
        database.executemany("INSERT INTO messages (body) VALUES (?)", [(bytes(4000),)] * 2000)
        writer = threading.Thread(target=write_until, args=(database, done))
        writer.start()
        try:
            script = [str(DEPLOY / "backup.sh"), str(data), str(target)]
            run = subprocess.run(script, capture_output=True, text=True, timeout=60)
        finally:
            done.set()
            writer.join()

    assert run.returncode == 0, run.stderr
    with closing(sqlite3.connect(run.stdout.strip())) as copy:
        count, last = copy.execute("SELECT COUNT(*), MAX(position) FROM messages").fetchone()
    assert count == last >= 2000
    assert (target / "blobs" / "ab" / "abc").read_bytes() == b"an attachment"
    assert (target / "secret.key").read_text() == "key"


def test_backup_of_a_folder_without_a_database_says_so(tmp_path: Path) -> None:
    script = [str(DEPLOY / "backup.sh"), str(tmp_path / "nothing"), str(tmp_path / "backup")]
    run = subprocess.run(script, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f"backup.sh: no database {tmp_path / 'nothing' / 'okno.db'}\n"
    assert not (tmp_path / "backup").exists()


def write_until(database: sqlite3.Connection, done: threading.Event) -> None:
    while not done.wait(0.001):
        database.execute("INSERT INTO messages (body) VALUES (?)", (bytes(4000),))
