"""Back up and restore: everything but the keys, which are backed up apart so that what is erased stays erased."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands.erase import carry_out_here
from services.house import House
from services.nothing_left import nothing_left
from services.privacy.backup import back_up, file_name
from services.privacy.restore import restore
from services.privacy.whole_backup import WrongBackup
from services.terminal import WrongRequest, in_house, passing_over, print_json, say_left_out
from shared.database.written_format import WrittenByNewer
from shared.keys.pages import WrongKeyStore
from shared.settings import Settings

COMMANDS = {"backup": "write a backup while Okno runs", "restore": "load a backup into an empty installation"}


def arguments(name: str, parser: argparse.ArgumentParser) -> None:
    if name == "backup":
        parser.add_argument("--out", type=Path, default=Path(file_name()), metavar="FILE", help="(okno-DATE.backup)")
        parser.set_defaults(run=in_house(_back_up), begins=False)
    else:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--keys-may-lack", action="store_true", help="declare lost what the key store lacks, for good, and go on"
        )
        parser.add_argument(
            "--whole-store", action="store_true", help="with --keys-may-lack: also when it has no key at all"
        )
        parser.add_argument(
            "--pass-over",
            action="store_true",
            help="leave out and name events that cannot be read: which addresses and ids they were about is not known",
        )
        parser.set_defaults(run=_restore_or_leave_nothing)


async def _back_up(options: argparse.Namespace, house: House) -> None:
    _refuse_no_file(options.out)
    made = await back_up(house, options.out)
    if options.json:
        print_json({"file": str(options.out), **made})
    else:
        print(f"{options.out}: {made['tables'].get('stored_events', 0)} events, {made['blobs']} files; no keys")
        print("back the key store up apart from it, and throw its old backups away after an erasure")


def _refuse_no_file(out: Path) -> None:
    """A backup takes the place of what is there: of a file, never of a device, as root could."""
    if out.exists() and not out.is_file():
        raise WrongRequest(f"--out wants the name of a file: {out} is none")


def _restore_or_leave_nothing(options: argparse.Namespace, settings: Settings) -> int | None:
    with nothing_left(settings, options.found, WrongBackup, WrongKeyStore, WrittenByNewer):
        return in_house(_restore, keys_may_lack=True, half_restored=True)(options, settings)


async def _restore(options: argparse.Namespace, house: House) -> int:
    """Return 1 where something was left out."""
    may_lack = {"keys_may_lack": options.keys_may_lack, "whole_store": options.whole_store}
    with passing_over("nothing starts before it is restored: "):
        loaded = await restore(house, options.file, **may_lack, pass_over=options.pass_over)
    if any(loaded[name] for name in ("erased_again", "lost_pages", "lost_items")):
        await carry_out_here(house)
    say_left_out(loaded["left_out"], len(loaded["left_out"]))
    if options.json:
        print_json(loaded)
    else:
        print(f"{loaded['events']} events, {loaded['blobs']} files, as of {loaded['made_at']}")
        print(f"published anew, to be taken in once Okno runs: {loaded['under_way']}")
        print(f"erased again: {loaded['erased_again']}")
        if options.keys_may_lack:
            print(f"declared lost: {loaded['lost_pages']} pages of keys, {loaded['lost_items']} keys of single things")
    return 1 if loaded["left_out"] else 0
