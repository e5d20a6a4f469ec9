"""What a reply says, PURE: text and HTML, the signature, the message answered below it, inline images, attachments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import EmailMessage

from shared.channels.email import charset, markdown_mail
from shared.connector import Channel
from shared.contracts.inbound import FileRef
from shared.contracts.outbound import OutboundReply, Quoted
from shared.domain.signature import signature, values_of

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,90}")
_CONTENT_ID = re.compile(r"[A-Za-z0-9._+@-]{1,200}")
_MONTHS_RU = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"
_MONTHS_EN = "January February March April May June July August September October November December"


def fill(message: EmailMessage, reply: OutboundReply, channel: Channel, files: Mapping[str, bytes]) -> None:
    """Add the body and the attachments; every boundary comes from the reply's id, so a repeat is the same mail."""
    below = signature_of(reply, channel)
    message.set_content(text_of(reply, below), charset="utf-8")
    shown: set[FileRef] = set()
    if reply.markup == "markdown":
        html = html_of(reply, below)
        message.add_alternative(html, subtype="html", charset="utf-8")
        shown = {file for file in reply.files if _is_inline(file, html)}
        _show(message, [file for file in reply.files if file in shown], files)
    for file in reply.files:
        if file not in shown:
            main, sub = _media_type(file)
            message.add_attachment(files[file.sha256], maintype=main, subtype=sub, filename=_name(file))
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_okno_{reply.id.hex}" + (f"_{number}" if number else ""))


def text_of(reply: OutboundReply, below: str = "") -> str:
    """Return the operator's text (Markdown as it was typed), the signature, and the message answered, quoted."""
    lines = [charset.clean(reply.text).rstrip()]
    if below:
        lines += ["", "-- ", below]
    if quoted := quoted_of(reply):
        lines += ["", attribution(quoted, russian=_is_russian_talk(reply, quoted))]
        lines += [_quoted_line(line) for line in charset.clean(quoted.text).rstrip().split("\n")]
    return "\n".join([*lines, ""])


def html_of(reply: OutboundReply, below: str = "") -> str:
    """Return the same as HTML; the operator's own HTML and the client's are shown as text."""
    parts = [markdown_mail.render(charset.clean(reply.text))]
    if below:
        parts.append(f"<div>-- <br>{markdown_mail.as_text(below)}</div>")
    if quoted := quoted_of(reply):
        above = markdown_mail.as_text(attribution(quoted, russian=_is_russian_talk(reply, quoted)))
        repeated = markdown_mail.as_text(charset.clean(quoted.text).rstrip())
        parts.append(f'<div>{above}</div>\n<blockquote type="cite">{repeated}</blockquote>')
    return markdown_mail.page("\n".join(parts))


def quoted_of(reply: OutboundReply) -> Quoted | None:
    """Return what is to be quoted; an automatic reply repeats nothing of its sender (it may be a spammer's text)."""
    wanted = reply.quotes and not reply.automatic
    return reply.quoted if wanted and reply.quoted is not None and reply.quoted.text.strip() else None


def signature_of(reply: OutboundReply, channel: Channel) -> str:
    """Return the mailbox's signature and the operator's own, their variables filled in; a rule has none of its own."""
    settings = channel.settings
    values = values_of(reply.author, channel.name, settings["address"], settings["organisation"])
    return charset.clean(signature(settings["signature"], "" if reply.automatic else reply.signature, values))


def attribution(quoted: Quoted, *, russian: bool) -> str:
    """Return the line above a quotation, in the language of the conversation; the time in UTC."""
    at, author = quoted.occurred_at, charset.one_line(quoted.author, 200)
    month = (_MONTHS_RU if russian else _MONTHS_EN).split()[at.month - 1]
    if russian:
        return f"{at.day} {month} {at.year} г., {at:%H:%M} UTC, {author} пишет:"
    return f"On {month} {at.day}, {at.year}, at {at:%H:%M} UTC, {author} wrote:"


def is_russian(text: str) -> bool:
    letters = [c for c in text[:4_000] if c.isalpha()]
    return sum("а" <= c.lower() <= "я" or c in "ёЁ" for c in letters) * 2 > len(letters)


def _is_russian_talk(reply: OutboundReply, quoted: Quoted) -> bool:
    return is_russian(reply.text + quoted.text)


def _quoted_line(line: str) -> str:
    return f">{line}" if line.startswith(">") else f"> {line}".rstrip()


def _show(message: EmailMessage, images: list[FileRef], files: Mapping[str, bytes]) -> None:
    """Put images beside the HTML that names them (RFC 2387)."""
    html = message.get_body(("html",))
    if html is None:
        return
    for image in images:
        main, sub = _media_type(image)
        cid = f"<{image.content_id}>"
        html.add_related(
            files[image.sha256], maintype=main, subtype=sub, cid=cid, filename=_name(image), disposition="inline"
        )


def _is_inline(file: FileRef, html: str) -> bool:
    known = _CONTENT_ID.fullmatch(file.content_id) is not None
    return known and file.media_type.startswith("image/") and f"cid:{file.content_id}" in html


def _media_type(file: FileRef) -> tuple[str, str]:
    media_type = file.media_type if _MEDIA_TYPE.fullmatch(file.media_type) else "application/octet-stream"
    if media_type.startswith(("multipart/", "message/")):
        media_type = "application/octet-stream"
    main, sub = media_type.split("/")
    return main, sub


def _name(file: FileRef) -> str:
    return charset.one_line(file.name, 150) or "file"
