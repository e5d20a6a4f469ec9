"""The user a server runs as: PostgreSQL and Dovecot refuse root, so root lends them a user without rights."""

import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    group: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        """What subprocess needs to run a command as this user."""
        if os.geteuid() == self.uid:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, *paths: Path) -> None:
        if os.geteuid() != self.uid:
            for path in paths:
                os.chown(path, self.uid, self.gid)


def server_account(preferred: str = "nobody") -> Account:
    """Ourselves, or when we are root the preferred user (nobody, where that is not known)."""
    if os.geteuid() != 0:
        return _account(pwd.getpwuid(os.geteuid()))
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return _account(known.get(preferred) or known["nobody"])


def _account(entry: pwd.struct_passwd) -> Account:
    group = grp.getgrgid(entry.pw_gid).gr_name
    return Account(entry.pw_name, group, entry.pw_uid, entry.pw_gid)
