"""How a mailbox fares as a whole: the lag of all its folders, and what is wrong with any of them."""

from __future__ import annotations

from collections.abc import Callable

from shared.connector import Inlet


class Status:
    """Collects what the folders tell; `warning` adds what is not wrong yet but soon will be."""

    def __init__(self, inlet: Inlet, warning: Callable[[], str | None] = lambda: None) -> None:
        self._inlet, self._warning = inlet, warning
        self._lags: dict[str, int] = {}
        self._problems: dict[str, str] = {}

    def lag(self, folder: str, mails: int) -> None:
        """The folder is read; so many mails of it are not here yet."""
        self._lags[folder] = mails
        self._problems.pop(folder, None)
        self._tell()

    def problem(self, what: str, text: str) -> None:
        """Stands until it is solved, or the folder of that name is read again."""
        self._problems[what] = f"{what}: {text}"
        self._tell()

    def solved(self, what: str) -> None:
        if self._problems.pop(what, None):
            self._tell()

    def _tell(self) -> None:
        words = [*self._problems.values(), self._warning()]
        self._inlet.report(lag=sum(self._lags.values()), problem="; ".join(filter(None, words)) or None)
