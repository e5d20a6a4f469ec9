"""The broker's jars: fetched by Maven once for each state of kafka-broker/pom.xml, kept in tests/peers/.cache."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

from tests.peers.process import CACHE, PeerError, remove_folder
from tests.peers.programs import JAVA, MAVEN

POM = Path(__file__).parent / "kafka-broker" / "pom.xml"
JARS = CACHE / "kafka"


def fetch_jars() -> Path:
    """The folder with the jars. Raises PeerError when Java or Maven is missing, or Maven cannot fetch them."""
    JAVA.path()
    stamp, wanted = JARS / "pom.sha256", hashlib.sha256(POM.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return JARS
    fresh = CACHE / f"kafka-{os.getpid()}"
    _copy_dependencies(MAVEN.path(), fresh)
    (fresh / "pom.sha256").write_text(wanted)
    remove_folder(JARS)
    fresh.rename(JARS)
    return JARS


def broker_version() -> str:
    names = (path.name for path in JARS.glob("kafka_2.13-*.jar"))
    return next((found.group(1) for name in names if (found := re.search(r"-([\d.]+)\.jar", name))), "unknown")


def _copy_dependencies(maven: Path, target: Path) -> None:
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}")
    done = subprocess.run((str(maven), "-q", "-B", "-f", str(POM), *goal), capture_output=True, text=True)
    if done.returncode != 0:
        raise PeerError(f"Maven cannot fetch Kafka's jars:\n{done.stdout}{done.stderr}")
