"""Where the peers' programs are on this machine; one that is missing is reported with the packages that bring it."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.peers.process import PeerError


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    packages: tuple[str, ...]
    find: Callable[[], Path | None]
    version_flag: str
    accepted: str = ""

    def path(self) -> Path:
        """Raises PeerError with the installing command when there is none."""
        if found := self.find():
            return found
        raise PeerError(f"{self.name} is missing: {install_command(self.packages)}")

    def version(self) -> str:
        """Its version; raises PeerError when it is missing or the tests cannot use this version."""
        done = subprocess.run([str(self.path()), self.version_flag], capture_output=True, text=True)
        found = re.search(r"\d+(\.\d+)*", done.stdout or done.stderr)
        version = found.group() if found else "unknown"
        if self.accepted and not re.match(self.accepted, version):
            raise PeerError(f"{self.name} {version} does not fit the tests: {install_command(self.packages)}")
        return version


def install_command(packages: tuple[str, ...]) -> str:
    return f"apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"


def _on_path(*names: str) -> Callable[[], Path | None]:
    return lambda: next((Path(path) for name in names if (path := shutil.which(name))), None)


def _find_postgres() -> Path | None:
    """Debian keeps the server's programs of each version off the PATH; the newest wins."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    return newest or _on_path("postgres")()


def _find_dovecot() -> Path | None:
    program = Path("/usr/sbin/dovecot")
    return program if program.exists() and Path("/usr/lib/dovecot/imap").exists() else None


JAVA = Program("Java 17 or newer", ("default-jre-headless",), _on_path("java"), "-version", r"1[7-9]|[2-9]\d")
MAVEN = Program("Maven", ("maven",), _on_path("mvn"), "-v")
POSTGRES = Program("PostgreSQL 15 or newer", ("postgresql",), _find_postgres, "--version", r"1[5-9]|[2-9]\d")
# 2.4 reads another configuration than the one tests/peers/dovecot.py writes.
DOVECOT = Program("Dovecot 2.3", ("dovecot-imapd",), _find_dovecot, "--version", r"2\.3\.")
CHROMIUM = Program("Chromium", ("chromium",), _on_path("chromium", "chromium-browser", "google-chrome"), "--version")
