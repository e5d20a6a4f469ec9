"""Where the installed `okno` begins: Ctrl-C ends it without a word also while Python still loads the rest."""

from __future__ import annotations

import signal


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from services import cli

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main()
