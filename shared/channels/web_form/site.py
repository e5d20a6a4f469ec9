"""PURE: what a channel's settings say about the sites that post to it: their origins (CORS) and thanks pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.channels.web_form.body import Submission
from shared.channels.web_form.config import words
from shared.connector import BadInput, Channel

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key",
    "Access-Control-Max-Age": "7200",
}
_NEXT_FIELDS = ("_next", "redirect", "thanks_url")


@dataclass(frozen=True, slots=True)
class Site:
    """The settings of a channel, read once."""

    settings: Mapping[str, str]
    origins: frozenset[str]
    thanks: tuple[str, ...]
    rate_limit: int

    def cors(self, origin: str, host: str) -> dict[str, str]:
        """Return the headers of every answer to a page of `origin`. Raises BadInput 403 for a foreign one.

        Without an Origin (programs, servers) and for pages of this very server no header is needed.
        """
        vary = {"Vary": "Origin"}
        if not origin or origin.partition("://")[2] == host:
            return vary
        if origin.lower() not in self.origins and "*" not in self.origins:
            raise BadInput(403, "Origin not allowed", f"This form takes no posts from pages of {origin}.", vary)
        return {**vary, "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After"}

    def preflight(self, origin: str, host: str) -> dict[str, str]:
        """Return the headers that answer a CORS preflight. Raises BadInput 403."""
        cors = self.cors(origin, host)
        return {**cors, **_PREFLIGHT} if "Access-Control-Allow-Origin" in cors else {**cors, "Allow": "POST, OPTIONS"}

    def next_page(self, submission: Submission) -> str:
        """Return the page for a browser after a post: the one the form asks for if it is listed, else the first."""
        asked = {value.strip() for name, value in submission.fields if name in _NEXT_FIELDS}
        return next((url for url in self.thanks if url in asked), self.thanks[0] if self.thanks else "")


def site_of(channel: Channel) -> Site:
    """Return the site of a channel with complete settings."""
    settings = channel.settings
    origins = frozenset(origin.lower() for origin in words(settings["allowed_origins"]))
    return Site(settings, origins, tuple(settings["thanks_url"].split()), int(settings["rate_limit"] or 0))
