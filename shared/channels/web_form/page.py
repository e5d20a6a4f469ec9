"""A channel's own form: the script a site includes with one line, and the hosted page, which needs no JavaScript."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from functools import lru_cache
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response

from shared.channels.web_form.definition import FormField, Language, form_fields
from shared.channels.web_form.once import PAGE_KEY
from shared.channels.web_form.site import Site
from shared.channels.web_form.spam import SHOWN_AT
from shared.channels.web_form.words import WORDS, language_of
from shared.connector import Channel

_FOLDER = Path(__file__).parent
_SCRIPT = (_FOLDER / "form.js").read_text(encoding="utf-8")
_STYLE = (_FOLDER / "form.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
SCRIPT_WORDS = ("send", "sending", "thanks", "kept", "refused", "too_large", "trap")
FILE_BYTES = 9 * 1024 * 1024
"""Of all files together, as the words say: the rest of a post's BODY_BYTES is for its fields."""
_SCRIPT_HEADERS = {
    "Cache-Control": "public, max-age=300",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def script(channel: Channel, site: Site) -> Response:
    """Return the script that shows the form where a page includes it."""
    return Response(
        _script(str(channel.id), site.settings.get("fields", "")), media_type="text/javascript", headers=_SCRIPT_HEADERS
    )


def page(channel: Channel, site: Site, accepted_language: str, *, sent: bool) -> Response:
    """Return the hosted page, or its thanks after a post without JavaScript."""
    language = language_of(accepted_language)
    words, title = WORDS[language], escape(site.title[language])
    body = f'<p role="status">{words["thanks"]}</p>' if sent else _form(channel, site, language)
    again = f'<p><a href="{site.page}?lang={language}">{words["again"]}</a></p>' if sent else ""
    html = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{title}</h1>{body}{again}</main></body></html>\n"
    )
    return HTMLResponse(html, headers=_page_headers(site, language))


@lru_cache(maxsize=64)
def _script(channel_id: str, definition: str) -> bytes:
    words = {language: {name: texts[name] for name in SCRIPT_WORDS} for language, texts in WORDS.items()}
    fields = [
        {"name": f.name, "type": f.type, "label": dict(f.label)}
        | ({"required": True} if f.required else {})
        | ({"options": f.options} if f.options else {})
        for f in form_fields(definition)
    ]
    told = {"id": channel_id, "words": words, "fields": fields, "file_bytes": FILE_BYTES}
    config = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return _SCRIPT.replace("CONFIG", config.replace("<", "\\u003c")).encode(errors="replace")


def _form(channel: Channel, site: Site, language: Language) -> str:
    hidden = {
        PAGE_KEY: secrets.token_hex(16),
        SHOWN_AT: str(int(time.time())),
        "_next": f"{site.page}?sent=1&lang={language}",
    }
    words = WORDS[language]
    rows = "".join([_row(field, language) for field in site.form])
    added = "".join([f'<input type="hidden" name="{n}" value="{escape(v)}">' for n, v in hidden.items()])
    trap = '<input name="_gotcha" tabindex="-1" autocomplete="off">'
    return (
        f'<form class="okno-form" data-okno="{channel.id}" method="post" action="/in/forms/{channel.id}"'
        f' enctype="multipart/form-data">{rows}{added}'
        f'<div class="okno-trap" aria-hidden="true"><label>{words["trap"]}{trap}</label></div>'
        f'<p class="okno-said" role="status"></p><button>{words["send"]}</button></form>'
        f'<script src="{site.page}.js" data-lang="{language}"></script>'
    )


def _row(field: FormField, language: Language) -> str:
    label = f"<span>{escape(field.label[language])}{' *' if field.required else ''}</span>"
    given = f'name="{escape(field.name)}"{" required" if field.required else ""}'
    match field.type:
        case "textarea":
            control = f'{label}<textarea rows="5" {given}></textarea>'
        case "select":
            options = "".join([f"<option>{escape(option)}</option>" for option in ("", *field.options)])
            control = f"{label}<select {given}>{options}</select>"
        case "checkbox" | "consent":
            control = f'<input type="checkbox" {given} value="{escape(field.label[language])}"> {label}'
        case _:
            control = f'{label}<input type="{field.type}" {given}>'
    return f"<p><label>{control}</label></p>"


def _page_headers(site: Site, language: Language) -> dict[str, str]:
    sites = " ".join(["*"] if "*" in site.origins else ["'self'", *sorted(site.origins)])
    thanks = " ".join(sorted({f"{u.scheme}://{u.netloc}" for u in map(urlsplit, site.thanks) if u.netloc.isascii()}))
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'sha256-{_STYLE_HASH}'; connect-src 'self'; "
        f"form-action 'self' {thanks}; base-uri 'none'; frame-ancestors {sites}"
    )
    return {
        "Content-Security-Policy": policy,
        "Content-Language": language,
        "Vary": "Accept-Language",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
    }
