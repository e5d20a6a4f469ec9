"""JSON-lines logs: one line per message per service, event name first, ids as fields, no message text, no secrets.

Our own lines go straight to the stream; those of libraries come through Python's logging in the same shape.
"""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TextIO

import orjson

from shared.log_floods import Repeated
from shared.log_words import FIELDS, masked, told

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
NAMES = {number: name for name, number in LEVELS.items()}


class _Output:
    """Where our lines go; None: to Python's logging, as in tests."""

    stream: TextIO | None = None
    level = logging.INFO


class Log:
    """The log of one part of the program: `log.info("reply_sent", reply_id=...)`."""

    def __init__(self, name: str) -> None:
        self._name = f"okno.{name}"
        self._logger = logging.getLogger(self._name)

    def debug(self, event: str, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, error: BaseException | None = None, **fields: object) -> None:
        self._write(logging.ERROR, event, fields, error)

    def _write(self, level: int, event: str, fields: dict[str, object], error: BaseException | None = None) -> None:
        """Logging's own way makes a record, looks for the calling line and takes a lock: ten times as long."""
        if (stream := _Output.stream) is None:
            trace = (type(error), error, error.__traceback__) if error else None
            self._logger.log(level, event, extra={"fields": fields}, exc_info=trace)
        elif level >= _Output.level:
            stream.write(_line(event, time.time(), level, self._name, fields, error))


class JsonLines(logging.Formatter):
    """Formats what libraries log."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        fields: dict[str, object] = getattr(record, "fields", {})
        ours = record.name.startswith("okno.")
        event = record.getMessage() if ours else masked(record.getMessage())
        return _line(event, record.created, record.levelno, record.name, fields, error).rstrip("\n")


def set_up_logs(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log line of the process to `stream` (stderr) as JSON. `level`: debug, info, warning or error."""
    output = stream or sys.stderr
    _Output.stream, _Output.level = output, LEVELS[level]
    handler = logging.StreamHandler(output)
    handler.setFormatter(JsonLines())
    handler.addFilter(Repeated())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _line(event: str, at: float, level: int, name: str, fields: dict[str, object], error: BaseException | None) -> str:
    line: dict[str, object] = {
        "event": event,
        "at": f"{_second(int(at))}.{int(at * 1000) % 1000:03}Z",
        "level": NAMES.get(level, "error"),
        "from": name,
        **fields,
    }
    for name in FIELDS & fields.keys():
        line[name] = masked(str(fields[name]))
    if error is not None:
        line["traceback"] = told(error)
    return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE).decode()
