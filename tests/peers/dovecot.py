"""Dovecot's IMAP server run without rights from a temporary folder: plain with STARTTLS on one port, TLS on another."""

import itertools
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.peers.account import server_account
from tests.peers.certificate import issue_certificate
from tests.peers.process import (
    PeerError,
    Process,
    accepts,
    free_port,
    make_folder,
    remove_folder,
)
from tests.peers.programs import DOVECOT

# Written for 2.3 (Debian 12). Chroots are emptied and the login users set to the running user: nothing here needs root.
CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:~/Maildir
# Mails keep the line ends they came with.
mail_save_crlf = yes
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
# Tests log in many times from one address.
mail_max_userip_connections = 100
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class DovecotServer:
    """`stop`, `kill` and `restart` keep ports and mail; `close` removes the mail. Users can be added at any time."""

    def __init__(self) -> None:
        DOVECOT.version()
        self._account = server_account()
        self._folder = make_folder("dovecot", self._account)
        self.host, self.port, self.tls_port = "127.0.0.1", free_port(), free_port()
        self.ca_path = issue_certificate(self._folder).certificate
        self._users = self._folder / "users"
        self._users.touch()
        self._deliveries = itertools.count(1)
        configuration = self._folder / "dovecot.conf"
        configuration.write_text(self._configuration())
        for name in ("run", "state", "mail"):
            (self._folder / name).mkdir()
        self._account.own(*self._folder.iterdir())
        self.process = Process("dovecot", [str(DOVECOT.path()), "-F", "-c", str(configuration)], account=self._account)

    def start(self) -> None:
        self.process.start()
        self.process.wait_until(lambda: greets(self.port) and accepts(self.tls_port))

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.kill()
        remove_folder(self._folder)

    def add_user(self, address: str, password: str) -> None:
        """A mailbox of its own for the address, which is also the login name."""
        home = self._folder / "mail" / address
        with self._users.open("a") as users:
            users.write(f"{address}:{{PLAIN}}{password}:{self._account.uid}:{self._account.gid}::{home}::\n")
        self._make_folder(home / "Maildir")

    def deliver(self, address: str, raw: bytes, folder: str = "INBOX") -> None:
        """Put the mail into the mailbox as a delivery agent would: whoever waits with IDLE is told."""
        maildir = self._maildir(address, folder)
        self._make_folder(maildir)
        name = f"{time.time_ns()}.{next(self._deliveries)}.okno,S={len(raw)}"
        written = maildir / "tmp" / name
        written.write_bytes(raw)
        self._account.own(written)
        written.rename(maildir / "new" / name)

    def messages(self, address: str, folder: str = "INBOX") -> list[bytes]:
        """The mails in the folder, oldest first."""
        maildir = self._maildir(address, folder)
        files = [path for part in ("new", "cur") for path in (maildir / part).glob("*")]
        return [path.read_bytes() for path in sorted(files, key=lambda path: path.name)]

    def renumber(self, address: str, folder: str = "INBOX") -> None:
        """Forget every UID: the folder gets another UIDVALIDITY (RFC 9051, 2.3.1.1), its mails new numbers."""
        for path in self._maildir(address, folder).glob("dovecot[.-]*"):
            path.unlink()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _configuration(self) -> str:
        names = {"user": self._account.name, "group": self._account.group}
        ports = {"port": self.port, "tls_port": self.tls_port}
        return CONFIGURATION.format(folder=self._folder, **names, **ports)

    def _maildir(self, address: str, folder: str) -> Path:
        root = self._folder / "mail" / address / "Maildir"
        if not root.exists():
            raise PeerError(f"no such user: {address}")
        return root if folder == "INBOX" else root / f".{folder.replace('/', '.')}"

    def _make_folder(self, maildir: Path) -> None:
        if maildir.exists():
            return
        for part in ("tmp", "new", "cur"):
            (maildir / part).mkdir(parents=True)
        self._account.own(maildir.parent, maildir, *maildir.iterdir())


def greets(port: int) -> bool:
    """Whether the server sends IMAP's greeting."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4) == b"* OK"
    except OSError:
        return False
