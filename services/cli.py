"""The `okno` command: finds the module in services/commands, reads the settings once, says errors in one line."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from services import commands
from services.nothing_left import found_in
from services.terminal import WrongRequest, stop_writing
from shared.database.protocol import DatabaseUnavailable
from shared.database.written_format import WrittenByNewer
from shared.domain.errors import Refused
from shared.event_store.mapper import EventUnreadable
from shared.keys.pages import WrongKeyStore
from shared.logs import LEVELS, set_up_logs
from shared.registry.channels import WrongChannel
from shared.registry.erasures import WrongErasure
from shared.registry.operators import WrongOperator
from shared.registry.restoring import RestoreUnfinished
from shared.registry.secrets import WrongKey
from shared.said import said
from shared.settings import WrongSettings, data_folder, read_settings
from shared.transport.protocol import TransportUnavailable

PERSONS_ERRORS = (
    WrongRequest,
    WrongSettings,
    WrongChannel,
    WrongOperator,
    WrongKey,
    WrongErasure,
    WrongKeyStore,
    RestoreUnfinished,
    WrittenByNewer,
    Refused,
)
WORLDS_ERRORS = (DatabaseUnavailable, TransportUnavailable, EventUnreadable, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, 1 when the answer is "no", 2 for a wrong request, 3 when something is out of reach."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        options = _parser(_modules(arguments)).parse_args(arguments)
        set_up_logs(options.log_level)
        options.found = found_in(data_folder(None, options.data))
        settings = read_settings(data=options.data, begins=options.begins)
        outcome: int | None = options.run(options, settings)
        sys.stdout.flush()
    except PERSONS_ERRORS as error:
        print(f"okno: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the answer has seen enough
        stop_writing()
        return 130
    except WORLDS_ERRORS as error:
        print(f"okno: {said(error)}", file=sys.stderr)
        return 3
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    return outcome or 0


def _parser(modules: Sequence[ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("okno", description="Event-sourced omnichannel inbox.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in modules:
        for name, help_ in module.COMMANDS.items():
            command = subparsers.add_parser(name, help=help_, description=module.__doc__)
            command.set_defaults(command=name, begins=True)
            module.arguments(name, command)
            for leaf in _leaves(command):
                _common(leaf)
    return parser


def _modules(arguments: Sequence[str]) -> list[ModuleType]:
    """Return the module that is called like the command, or else all, which take as long as many a command."""
    names = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
    asked = arguments[0] if arguments else ""
    if asked in names and asked in (module := _module(asked)).COMMANDS:
        return [module]
    return [_module(name) for name in names]


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{commands.__name__}.{name}")


def _leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Return the parsers of the innermost commands."""
    for action in parser._actions:  # argparse has no public way to list subparsers
        if isinstance(action, argparse._SubParsersAction):
            return [leaf for inner in action.choices.values() for leaf in _leaves(inner)]
    return [parser]


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=_folder, help="data directory (OKNO_DATA, ./var)")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.add_argument("--log-level", choices=LEVELS, default="info")


def _folder(text: str) -> Path:
    """An empty one is a variable that was not set, and no wish to have everything in the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("a folder is wanted, not an empty text")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
