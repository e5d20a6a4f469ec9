"""Look over the installation: folders, database, transport, channels, what waits. Exit status 1 for what is wrong."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from services.doctor import look_over
from services.house import House
from services.terminal import in_house, show

COMMANDS = {"doctor": "say what is wrong with this installation"}


def arguments(_: str, parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=in_house(_run, keys_may_lack=True, half_restored=True), begins=False)


async def _run(options: argparse.Namespace, house: House) -> int:
    findings = [finding async for finding in look_over(house)]
    show(options.json, [asdict(finding) for finding in findings], ("state", "check", "found"))
    return 1 if any(finding.state == "wrong" for finding in findings) else 0
