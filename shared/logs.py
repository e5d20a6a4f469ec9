"""JSON-lines logs: one line per message per service, event name first, ids as fields, no message text, no secrets."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Log:
    """The log of one part of the program: `log.info("reply_sent", reply_id=...)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"okno.{name}")

    def debug(self, event: str, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, error: BaseException | None = None, **fields: object) -> None:
        self._write(logging.ERROR, event, fields, error)

    def _write(self, level: int, event: str, fields: dict[str, object], error: BaseException | None = None) -> None:
        """Make the record by hand: logging's own way looks up the calling line, which takes longer than the rest."""
        if self._logger.isEnabledFor(level):
            trace = (type(error), error, error.__traceback__) if error else None
            record = logging.LogRecord(self._logger.name, level, "", 0, event, (), trace)
            record.fields = fields
            self._logger.handle(record)


class JsonLines(logging.Formatter):
    """Formats records of ours and of libraries alike."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "event": record.getMessage(),
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return orjson.dumps(line, default=str).decode()


def set_up_logs(level: str = "info", stream: TextIO = sys.stderr) -> None:
    """Send every log line of the process to `stream` as JSON. `level`: debug, info, warning or error."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("okno").setLevel(LEVELS[level])
