"""PURE: what a channel's settings say, read once: origins (CORS), thanks pages, limits, field map, its own form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from shared.channels.web_form.body import Submission
from shared.channels.web_form.config import DEFAULTS, words
from shared.channels.web_form.definition import FormField, Language, form_fields, form_title
from shared.channels.web_form.names import Role, innermost, role_of
from shared.connector import BadInput, Channel

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key",
    "Access-Control-Max-Age": "7200",
}
_NEXT_FIELDS = ("_next", "redirect", "thanks_url")
FORM_POSTS_PER_ADDRESS = 100


@dataclass(frozen=True, slots=True)
class Site:
    """The settings of a channel, read once. Limits are posts a minute, 0: none."""

    settings: Mapping[str, str]
    page: str
    """The path of the hosted page."""
    origins: frozenset[str]
    thanks: tuple[str, ...]
    rate_limit: int
    form_rate_limit: int
    reply_channel: UUID | None
    field_map: Mapping[str, Role]
    honeypots: frozenset[str]
    least_seconds: float
    form: tuple[FormField, ...]
    title: Mapping[Language, str]
    country: str

    def role_of(self, name: str) -> Role:
        """Return what a field is for: as the channel says, else by its usual names."""
        if self.field_map:
            for known_as in (name.strip().casefold(), innermost(name).casefold()):
                if known_as in self.field_map:
                    return self.field_map[known_as]
        return role_of(name)

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
        """Return the page for a browser after a post, empty for none.

        That is the one the form asks for if it is listed or our own page, else the first of the list.
        """
        for name, value in submission.fields:
            if name in _NEXT_FIELDS and (value.strip() in self.thanks or value.startswith(f"{self.page}?")):
                return value.strip()
        return self.thanks[0] if self.thanks else ""


def site_of(channel: Channel) -> Site:
    """Return the site of a channel; one that is older than a setting has its default."""
    site = _sites.get(channel.id)
    if site is None or (site.settings is not channel.settings and site.settings != channel.settings):
        site = _sites[channel.id] = _read(channel)
    return site


_sites: dict[UUID, Site] = {}
"""As many as there are channels."""


def _read(channel: Channel) -> Site:
    settings = {**DEFAULTS, **channel.settings}
    rate_limit = int(settings["rate_limit"] or 0)
    return Site(
        settings=channel.settings,
        page=f"/forms/{channel.id}",
        origins=frozenset(origin.lower() for origin in words(settings["allowed_origins"])),
        thanks=tuple(settings["thanks_url"].split()),
        rate_limit=rate_limit,
        form_rate_limit=int(settings["form_rate_limit"] or rate_limit * FORM_POSTS_PER_ADDRESS),
        reply_channel=UUID(settings["reply_channel"]) if settings["reply_channel"] else None,
        field_map={name.strip().casefold(): role for name, role in json.loads(settings["field_map"] or "{}").items()},
        honeypots=frozenset(words(settings["honeypot"])),
        least_seconds=float(settings["least_seconds"] or 0),
        form=form_fields(settings["fields"]),
        title=form_title(settings["title"]),
        country=settings["country"],
    )
