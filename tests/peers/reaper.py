"""Ends the servers when the test process itself is killed: a shell that waits for the end of its input, then kills."""

import subprocess
import threading

SCRIPT = """
live=
while read -r sign pid; do
  rest=
  for each in $live; do [ "$each" = "$pid" ] || rest="$rest $each"; done
  live=$rest
  [ "$sign" = - ] || live="$live $pid"
done
[ -z "$live" ] || kill -9 $live
"""
_lock = threading.Lock()
_shell: subprocess.Popen[bytes] | None = None


def guard(pid: int) -> None:
    _tell(f"+ {pid}\n")


def release(pid: int) -> None:
    """To be called before the number can belong to another process."""
    _tell(f"- {pid}\n")


def _tell(line: str) -> None:
    global _shell
    with _lock:
        if _shell is None:
            _shell = subprocess.Popen(
                ["/bin/sh", "-c", SCRIPT], stdin=subprocess.PIPE, bufsize=0, start_new_session=True
            )
        if _shell.stdin is not None:
            _shell.stdin.write(line.encode())
