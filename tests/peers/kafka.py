"""Apache Kafka, one KRaft node from its Maven artifacts. Ready means a metadata answer, not an open port."""

import asyncio
import os
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.peers.kafka_jars import JARS, fetch_jars
from tests.peers.process import PeerError, Process, accepts, free_port, make_folder, remove_folder

LOG4J = Path(__file__).parent / "kafka-broker" / "log4j2.xml"
CLUSTER_ID = "b2tub19wZWVyX2thZmthXw"
ARCHIVE = JARS / "classes.jsa"
JVM_FLAGS = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

# One node keeps one copy; the cleaner's default buffer alone is 128 MB; a killed broker may come back only
# when its session is over, 9 s by default.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised_port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=8388608
"""


class ExternalKafka:
    """A broker that already runs (OKNO_TEST_KAFKA=host:port); the tests leave it running."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap


class KafkaServer:
    """A broker of our own. `stop`, `kill` and `restart` keep port and data; `close` removes the data."""

    def __init__(self, advertised_port: int | None = None, archive: str = f"-XX:SharedArchiveFile={ARCHIVE}") -> None:
        """Listens on `port`; clients are sent to the advertised port, where a proxy may stand in front of it."""
        fetch_jars()
        self._folder = make_folder("kafka")
        self.port = free_port()
        self._advertised_port = advertised_port or self.port
        self.bootstrap = f"127.0.0.1:{self._advertised_port}"
        self._properties = self._folder / "server.properties"
        self._properties.write_text(self._configuration())
        self.process = Process("kafka", _java(archive, "kafka.Kafka", str(self._properties)))

    def start(self) -> None:
        if not (self._folder / "data").exists():
            self._format()
        self.process.start()
        self.process.wait_until(lambda: answers(self.bootstrap), timeout_seconds=90)

    def stop(self, timeout_seconds: float = 60) -> None:
        self.process.stop(timeout_seconds)

    def kill(self) -> None:
        self.process.kill()

    def pause(self) -> None:
        """The broker keeps its connections and answers nothing, until `resume`."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.kill()
        remove_folder(self._folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _configuration(self) -> str:
        ports = {"port": self.port, "advertised_port": self._advertised_port, "controller_port": free_port()}
        return PROPERTIES.format(folder=self._folder, **ports)

    def _users(self) -> tuple[str, ...]:
        """What the formatting tool is told of who may come in, where not everybody may."""
        return ()

    def _format(self) -> None:
        tool = ("format", "--standalone", "-t", CLUSTER_ID, "-c", str(self._properties))
        command = _java(f"-XX:SharedArchiveFile={ARCHIVE}", "kafka.tools.StorageTool", *tool, *self._users())
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise PeerError(f"Kafka's storage cannot be formatted:\n{done.stdout}{done.stderr}")


def answers(bootstrap: str) -> bool:
    """Whether the broker answers a metadata request. Safe to call inside a running event loop."""
    host, port = bootstrap.rsplit(":", 1)
    if not accepts(int(port), host):
        return False
    verdict: list[bool] = []
    thread = threading.Thread(target=lambda: verdict.append(asyncio.run(_has_brokers(bootstrap))))
    thread.start()
    thread.join()
    return verdict == [True]


def share_classes() -> str:
    """Keep the broker's loaded classes for all later starts, which then take half the processor time.

    Return why that could not be done, empty where it was: a Java without an archive of its own classes keeps none, and
    the tests go on without.
    """
    if ARCHIVE.exists():
        return ""
    fresh = ARCHIVE.with_name(f"{os.getpid()}.jsa")
    try:
        with KafkaServer(archive=f"-XX:ArchiveClassesAtExit={fresh}") as broker:
            broker.stop(timeout_seconds=120)
        fresh.rename(ARCHIVE)
    except (PeerError, OSError) as error:
        fresh.unlink(missing_ok=True)
        return str(error)
    return ""


def _java(archive: str, main_class: str, *arguments: str) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={LOG4J}"
    return ["java", *JVM_FLAGS, archive, "-Xlog:cds=off", logging, "-cp", f"{JARS}/*", main_class, *arguments]


async def _has_brokers(bootstrap: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()


async def delete_topics(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if names := [name for name in await admin.list_topics() if name.startswith(prefix)]:
            await admin.delete_topics(names)
    finally:
        await admin.close()
