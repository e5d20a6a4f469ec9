"""Where the installed `okno` begins: Ctrl-C ends it without a word also while Python still loads the rest."""

from __future__ import annotations

import signal


def main() -> int:
    """Return the exit status of the command that was asked for, as `cli.main`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from services import cli

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main()
