"""`python -m tests.peers.install`: all the tests need besides Python. Installs what is missing or says how to."""

import importlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from services.inbox_api.ui import node
from tests.peers.kafka import share_classes
from tests.peers.kafka_jars import broker_version, fetch_jars
from tests.peers.process import PeerError
from tests.peers.programs import CHROMIUM, DOVECOT, JAVA, MAVEN, POSTGRES, Program, install_command

FONTS = ("fonts-dejavu-core",)

# Meanwhile no package may start a service, and PostgreSQL makes no cluster; both rules are taken back at the end.
INSTALL = """\
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/okno-tests.conf
ours=
trap 'rm -f $ours' EXIT
if [ ! -e $policy ]; then
  ours="$ours $policy"
  printf '#!/bin/sh\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
apt="apt-get -q -o DPkg::Lock::Timeout=300"
$apt update
case " $* " in *" postgresql "*)
  $apt install -y --no-install-recommends postgresql-common
  ours="$ours $no_cluster"
  mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' > $no_cluster
esac
$apt install -y --no-install-recommends "$@"
case " $* " in *" dovecot-imapd "*)
  if [ -d /run/systemd/system ]; then systemctl disable --now dovecot.service dovecot.socket; fi
esac
"""


def main() -> int:
    try:
        if packages := missing_packages():
            install(packages)
        lines = [f"Node: {_npm()[0]}"]
        with ThreadPoolExecutor() as threads:
            lines += threads.map(_describe, needed_programs())
    except PeerError as error:
        print(f"make test cannot start. {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def needed_programs() -> list[Program]:
    """Servers that already run (OKNO_TEST_KAFKA, OKNO_TEST_DATABASE_URL) need nothing here."""
    kafka = [] if os.environ.get("OKNO_TEST_KAFKA") else [JAVA, MAVEN]
    postgres = [] if os.environ.get("OKNO_TEST_DATABASE_URL") else [POSTGRES]
    return [*kafka, *postgres, DOVECOT, CHROMIUM]


def missing_packages() -> tuple[str, ...]:
    """Packages of the programs that are not there; a program in a version that does not fit is an error instead."""
    programs = [package for each in needed_programs() if each.find() is None for package in each.packages]
    return (*programs, *(() if has_cyrillic_font() else FONTS))


def install(packages: tuple[str, ...]) -> None:
    """Raises PeerError with the command to type when this user may not install packages, or it fails."""
    if (as_root := _root_prefix()) is None:
        raise PeerError(f"Missing here; install with:\n  sudo sh -c '{install_command(packages)}'")
    print(f"installing {' '.join(packages)}", flush=True)
    if subprocess.run([*as_root, "sh", "-c", INSTALL, "install", *packages]).returncode != 0:
        raise PeerError(f"The installation failed. Try:\n  sudo sh -c '{install_command(packages)}'")


def _npm() -> list[str]:
    """The npm that tests the window: the machine's, else that of a package which this puts into the environment."""
    if npm := node.npm_of_the_machine():
        return npm
    try:
        return node.npm_of_the_package()
    except RuntimeError:
        print(f"installing {node.FROM_PYPI}", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "-c", "requirements.lock", node.FROM_PYPI]
    if subprocess.run(pip).returncode != 0:
        raise PeerError(f"The installation failed. Try:\n  {' '.join(pip)}")
    importlib.invalidate_caches()
    return node.npm_of_the_package()


def has_cyrillic_font() -> bool:
    if shutil.which("fc-list") is None:
        return False
    fonts = subprocess.run(["fc-list", ":lang=ru", "family"], capture_output=True, text=True)
    return bool(fonts.stdout.strip())


def _root_prefix() -> list[str] | None:
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


def _describe(program: Program) -> str:
    # Maven is slow to tell its version, and only the jars it fetches matter.
    if program is MAVEN:
        fetch_jars()
        slower = share_classes()
        told = f"\n  starts slower, as its classes are not kept: {slower}" if slower else ""
        return f"Apache Kafka: {broker_version()}{told}"
    return f"{program.name}: {program.version()}"


if __name__ == "__main__":
    sys.exit(main())
