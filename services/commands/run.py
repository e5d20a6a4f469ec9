"""Start Okno: everything in one process, or one service of a cluster."""

from __future__ import annotations

import argparse

from services.reached import PORTS
from services.terminal import number
from services.up import EVERYTHING, Start, start
from shared.settings import Settings

COMMANDS = {
    "up": "run everything in one process",
    "ingest": "run only what receives from channels",
    "projector": "run only what writes the log and the read models",
    "outbound": "run only what sends replies",
    "inbox-api": "run only the window and its API",
}


def arguments(name: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine only)")
    parser.add_argument("--port", type=number, default=PORTS[name], help=f"port to listen on ({PORTS[name]}; 0: any)")
    if name == "up":
        parser.add_argument("--demo", action="store_true", help="add sample customers and a page to play the client")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, settings: Settings) -> None:
    services = EVERYTHING if options.command == "up" else (options.command,)
    demo = getattr(options, "demo", False)
    start(settings, Start(services, options.host, options.port, demo, options.json))
