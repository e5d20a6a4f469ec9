"""Goes on with HTTP/1.1 where a client offers another protocol besides (RFC 9110, 7.8): Java's and curl's offer HTTP/2.

httptools takes all that comes behind such a head for the other protocol's, and uvicorn drops it: the body was empty.
"""

from __future__ import annotations

import sys

import httptools

from services.bounded_http import BoundedHttp

_FRAMING = (b"content-length", b"transfer-encoding")
"""What of a head tells where the body ends."""


class UpgradeFreeHttp(BoundedHttp):
    """A new parser that knows how the body is framed reads on behind the head."""

    _data = b""
    _is_told = False
    """The new parser is being told: nothing of that came from the client."""

    def data_received(self, data: bytes) -> None:
        self._data = data
        super().data_received(data)
        self._data = b""

    def on_message_begin(self) -> None:
        if not self._is_told:
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_told:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_told:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._is_told:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():  # else it is not complete, its body comes
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Called by uvicorn while it handles what httptools says: where in the data the head has ended."""
        error, rest = sys.exc_info()[1], self._data
        while isinstance(error, httptools.HttpParserUpgrade):
            rest = rest[error.args[0] :]
            error = self._go_on(rest)
        if error is not None:
            self.send_400_response("Invalid HTTP request received.")

    def _go_on(self, rest: bytes) -> Exception | None:
        """Read on with a new parser; return what it ended with, if not with the data."""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        framing = b"".join(b"%b: %b\r\n" % header for header in self.headers if header[0] in _FRAMING)
        self._is_told = True
        try:
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
            self._is_told = False
            self.parser.feed_data(rest)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            return error
        finally:
            self._is_told = False
        return None
