"""The `okno` command as people and scripts use it: answers, --json, exit statuses, errors in one line."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import httpx
import pytest

from services import cli
from shared.settings import read_settings
from tests.peers.fixtures import StartOkno
from tests.services.command_line import MAILBOX, Cli


def test_who_reads_no_further_is_told_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "services.cli", "channels", "kinds", "--data", str(tmp_path)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (130, b"")


PRESSED_WHILE_LOADING = """
import os, signal, sys
loading = sys.argv[1]
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == loading:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
from services.entry import main
sys.argv = ["okno", "channels", "kinds"]
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["services.house", "services.commands.channels"])
def test_ctrl_c_ends_it_without_a_word_while_it_is_loaded(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", PRESSED_WHILE_LOADING, module], capture_output=True, timeout=60)
    assert (done.returncode in (130, -signal.SIGINT), done.stdout, done.stderr) == (True, b"", b"")


# --- operators --------------------------------------------------------------------------------------------


def test_an_operator_is_added_and_gets_a_token(okno: Cli) -> None:
    added = okno.json("operators", "add", "Olga@okno.example", "--role", "analyst", "--name", "Ольга")
    assert (added["email"], added["role"]) == ("olga@okno.example", "analyst")
    assert added["setup"].startswith("http://127.0.0.1:8000/setup?token=")
    token = okno("tokens", "create", "olga@okno.example")
    assert (len(token.split()), okno.json("tokens", "create", "OLGA@okno.example")["email"]) == (1, "olga@okno.example")
    assert okno.wrong("operators", "add", "olga@okno.example", "--role", "admin").endswith("is an operator already")
    assert "okno operators add" in okno.wrong("tokens", "create", "ben@okno.example")
    assert "works once" in okno("operators", "add", "ben@okno.example", "--role", "operator")


def test_what_an_operator_was_given_can_be_made_void_and_a_lost_link_renewed(okno: Cli) -> None:
    okno("operators", "add", "olga@okno.example")
    okno("tokens", "create", "olga@okno.example")
    assert okno.json("tokens", "revoke", "OLGA@okno.example") == {"email": "olga@okno.example", "revoked": 2}
    assert "0 tokens" in okno("tokens", "revoke", "olga@okno.example")
    renewed = okno.json("operators", "link", "olga@okno.example")
    assert "/setup?token=" in renewed["setup"]
    assert "/setup?token=" in okno("operators", "link", "olga@okno.example")
    assert okno.json("tokens", "revoke", "olga@okno.example")["revoked"] == 1
    assert "okno operators add" in okno.wrong("tokens", "revoke", "ben@okno.example")


def test_operators_are_listed_and_whoever_leaves_is_locked_out(okno: Cli) -> None:
    okno("operators", "add", "olga@okno.example", "--name", "Ольга")
    assert "olga@okno.example  operator  Ольга  (invited)" in okno("operators", "list").splitlines()
    (olga,) = okno.json("operators", "list")["items"]
    assert (olga["email"], olga["role"], olga["can_sign_in"]) == ("olga@okno.example", "operator", False)
    assert okno.json("operators", "lock", "OLGA@okno.example") == {"email": "olga@okno.example", "locked": True}
    assert "okno operators link" in okno("operators", "lock", "olga@okno.example")
    assert okno.json("tokens", "revoke", "olga@okno.example")["revoked"] == 0
    assert "olga@okno.example  operator  Ольга  (locked)" in okno("operators", "list").splitlines()
    okno("operators", "add", "anna@okno.example", "--role", "admin")
    assert "the last admin" in okno.wrong("operators", "role", "anna@okno.example", "analyst")
    assert okno.json("operators", "role", "olga@okno.example", "admin")["role"] == "admin"
    assert "the last admin" in okno.wrong("operators", "lock", "anna@okno.example")


# --- replay -----------------------------------------------------------------------------------------------


# --- what is wrong from the start -------------------------------------------------------------------------


def test_an_unknown_command_or_option_ends_with_2(okno: Cli) -> None:
    wrong_role = ["operators", "add", "a@b", "--role", "boss"]
    for arguments in (["nothing"], [], ["channels"], wrong_role, ["up", "--port", "x"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 2
    assert "usage: okno" in okno.capture.readouterr().err


@pytest.mark.parametrize(
    "wanted",
    [
        ["up", "--port"], ["events", "tail", "--after"], ["recordings", "heard", "--limit"], ["audit", "--minutes"],
        ["recordings", "heard", "--cursor"], ["rebuild", "--check", "--show"], ["webhooks", "rewind", "hook"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", ["x", "99999999999999999999"])
def test_what_is_no_number_or_too_large_is_told_in_one_line(okno: Cli, wanted: list[str], number: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*wanted, number, "--data", str(okno.data)])
    told = okno.capture.readouterr().err.splitlines()[-1]
    assert (ended.value.code, "whole number is wanted" in told or "is too large" in told) == (2, True)


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_no_machine_has_is_refused(okno: Cli, port: str) -> None:
    assert okno.wrong("up", "--port", port).endswith(f":{port}: ports are numbers from 0 to 65535")


def test_an_empty_time_is_no_time(okno: Cli) -> None:
    okno("channels", "list")
    for wanted in (["audit", "--since"], ["events", "export", "--out", "-", "--until"], ["timeline", "a@b", "--as-of"]):
        assert "wants a time such as" in okno.wrong(*wanted, "")


def test_every_command_is_listed_with_what_it_does() -> None:
    """argparse leaves one without help out of the list."""

    def unlisted(parser: argparse.ArgumentParser) -> list[str]:
        found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        listed = {each.dest for action in found for each in action._choices_actions}
        inner = {name: each for action in found for name, each in action.choices.items()}
        return [each.prog for name, each in inner.items() if name not in listed] + [
            prog for each in inner.values() for prog in unlisted(each)
        ]

    assert unlisted(cli._parser(cli._modules([]))) == []


def test_a_backup_replaces_a_file_and_nothing_else(okno: Cli, tmp_path: Path) -> None:
    okno("channels", "list")
    os.mkfifo(tmp_path / "pipe")
    for out in ("", str(tmp_path), str(tmp_path / "pipe")):
        assert "wants the name of a file" in okno.wrong("backup", "--out", out)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("command", [[], ["channels", "add"], ["up"], ["timeline"], ["rebuild"]])
def test_every_command_has_help(okno: Cli, command: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert (ended.value.code, "usage: okno" in okno.capture.readouterr().out) == (0, True)


def test_a_command_loads_no_other(tmp_path: Path) -> None:
    loaded = "[name for name in sys.modules if name.startswith('services.commands.')]"
    code = f"import sys; from services import cli; cli.main(['tokens', 'create', 'nobody']); print({loaded})"
    with_a_folder = {**os.environ, "OKNO_DATA": str(tmp_path)}
    printed = subprocess.run([sys.executable, "-c", code], env=with_a_folder, capture_output=True, text=True)
    assert printed.stdout.strip() == "['services.commands.tokens']"


def test_wrong_settings_are_told_in_one_line(okno: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKNO_DATABASE_URL", "mysql://x")
    assert okno.wrong("channels", "list") == "OKNO_DATABASE_URL must start with sqlite:/// or postgresql://"
    monkeypatch.setenv("OKNO_DATABASE_URL", "sqlite:////tmp/x.db")
    monkeypatch.setenv("OKNO_KAFKA", "127.0.0.1:9092")
    assert "needs a PostgreSQL" in okno.wrong("channels", "list")
    monkeypatch.delenv("OKNO_KAFKA")
    monkeypatch.setenv("OKNO_SECRET_KEY", "short")
    assert "OKNO_SECRET_KEY must be 32 bytes" in okno.wrong("channels", "list")
    monkeypatch.delenv("OKNO_SECRET_KEY")
    monkeypatch.setenv("OKNO_PUBLIC_URL", "okno.example/")
    assert okno.wrong("channels", "list") == ("OKNO_PUBLIC_URL must start with https:// or http://, not 'okno.example'")


def test_what_is_set_to_nothing_is_not_set() -> None:
    nothing = dict.fromkeys(("OKNO_DATA", "OKNO_DATABASE_URL", "OKNO_KAFKA", "OKNO_BLOBS", "OKNO_PUBLIC_URL"), "")
    key = {"OKNO_SECRET_KEY": "A" * 43 + "="}
    assert read_settings({**key, **nothing}) == read_settings(key)


def test_another_key_is_told_in_one_line(okno: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    okno(*MAILBOX)
    monkeypatch.setenv("OKNO_SECRET_KEY", urlsafe_b64encode(bytes(32)).decode())
    assert "OKNO_SECRET_KEY is not the one" in okno.wrong("channels", "list")


def test_a_damaged_key_file_is_never_told_to_be_made_anew(okno: Cli) -> None:
    okno(*MAILBOX)
    key = okno.data / "secret.key"
    for damaged in (b"", b"c2hvcnQ=\n", bytes(range(200, 245))):
        key.write_bytes(damaged)
        assert okno.wrong("channels", "list") == (
            f"{key} is damaged, it had 32 bytes in base64url: put the copy of it in its place"
        )


def test_a_key_file_that_is_missing_is_asked_for_and_not_made_anew_beside_keys(okno: Cli) -> None:
    okno("channels", "list")
    (okno.data / "secret.key").unlink()
    assert okno.wrong("channels", "list").endswith("put the copy of it in its place")
    assert not (okno.data / "secret.key").exists()
    elsewhere = {"OKNO_KEYS_URL": f"sqlite:///{okno.data / 'other.db'}", "OKNO_DATA": str(okno.data)}
    assert read_settings(elsewhere).keys_url == elsewhere["OKNO_KEYS_URL"]


@pytest.mark.parametrize(
    "command",
    [
        "audit", "backup", "rebuild", "timeline anna@example.com", "events tail", "doctor", "customers export --out -",
        "customers undo 6f7b0a4e-0000-4000-8000-000000000001", "erase anna@example.com --yes", "erasures list",
        "events export --out -", "recordings heard", "replay mine.py:Calls", "rethread --dry-run",
    ],
)  # fmt: skip
def test_a_folder_without_an_installation_has_no_history_to_tell_of(okno: Cli, tmp_path: Path, command: str) -> None:
    elsewhere = Cli(tmp_path / "mistyped", okno.capture)
    assert elsewhere.wrong(*command.split()).startswith(f"there is no Okno in {elsewhere.data}")
    assert not elsewhere.data.exists()


@pytest.mark.parametrize("blobs", ["a file", "a file/below", "/proc/self"])
def test_files_that_could_be_kept_nowhere_are_told_at_the_start(
    okno: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blobs: str
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("OKNO_BLOBS", str(tmp_path / blobs))
    told = okno.wrong("up", "--port", "0")
    assert told.startswith(f"OKNO_BLOBS wants a folder that can be written to, not {tmp_path / blobs}: ")


def test_a_folder_that_is_empty_text_is_none(okno: Cli) -> None:
    with pytest.raises(SystemExit):
        cli.main(["channels", "list", "--data", ""])
    assert "a folder is wanted, not an empty text" in okno.capture.readouterr().err


def test_a_data_directory_that_is_a_file_is_out_of_reach(okno: Cli) -> None:
    okno.data.write_text("a file")
    assert str(okno.data) in okno.wrong("channels", "list", status=3)


@pytest.mark.parametrize("service", ["ingest", "projector", "outbound", "inbox-api"])
def test_one_service_alone_needs_postgresql(okno: Cli, service: str) -> None:
    assert "`okno up` runs all four" in okno.wrong(service, "--port", "0")


def up_once(start_okno: StartOkno, data: Path, *more: str) -> str:
    running = start_okno(["up", "--port", "0", *more], {"OKNO_DATA": str(data)})
    line = running.wait_for_line("/setup?token=")
    assert running.stop() == 0
    return line


def test_up_says_for_whom_its_link_is_while_nobody_has_a_password(okno: Cli, start_okno: StartOkno) -> None:
    okno("operators", "add", "ben@okno.example")
    first = "No operator has a password yet. The first one, an admin, gives an address and a password here"
    assert up_once(start_okno, okno.data).startswith(f"{first} (this link works once): http://127.0.0.1:")


def test_up_names_the_admin_who_was_added_and_has_no_password_yet(okno: Cli, start_okno: StartOkno) -> None:
    okno("operators", "add", "anna@okno.example", "--role", "admin")
    why = "No operator has a password yet. anna@okno.example, an admin, sets one here"
    line = up_once(start_okno, okno.data)
    assert line.startswith(f"{why} (this link works once, and earlier ones no more): http://127.0.0.1:")
    assert json.loads(up_once(start_okno, okno.data, "--json"))["setup_for"] == "anna@okno.example"


def test_up_prints_where_it_is_and_a_second_one_is_refused(okno: Cli, start_okno: StartOkno, tmp_path: Path) -> None:
    running = start_okno(["up", "--port", "0", "--json"], {"OKNO_DATA": str(okno.data)})
    told = json.loads(running.wait_for_line('"address"'))
    running.wait_for_http(told["address"])
    assert told["setup"].startswith(told["address"] + "/setup?token=")
    assert httpx.get(f"{told['address']}/healthz", trust_env=False, verify=False).text == "ok\n"
    assert "is in use by another Okno" in okno.wrong("up", "--port", "0")
    port = told["address"].rpartition(":")[2]
    okno.data = tmp_path / "other"
    assert f"cannot listen on 127.0.0.1:{port}" in okno.wrong("up", "--port", port)
    assert running.stop() == 0
