"""What a bounce without a machine-readable report says in words, PURE: where the returned mail begins, who failed."""

from __future__ import annotations

import re

MAX_TEXT = 64 * 1024
MAX_RECIPIENTS = 100

_ORIGINAL = re.compile(
    r"^[ \t>]{0,4}(?:[-=_*#+]{2,40}[ \t]*)?(?:"
    r"(?:this is )?(?:a )?copy of (?:the|your) (?:original )?(?:message|mail)|below (?:this|the next) line is a copy"
    r"|below is a copy of|here is a copy of|enclosed is a copy of|the following is a copy"
    r"|original (?:message|mail|e-mail|text)(?: (?:follows|headers?|below|header follows|as follows))?"
    r"|(?:the )?(?:body|header|headers|beginning|first \w{1,10} lines) of (?:the |your )?"
    r"(?:original|source|undeliver\w+|unsent)? ?(?:message|mail)(?! generated)|returned (?:message|mail|text)"
    r"|unsent message"
    r"|message (?:text|header|headers|body|follows|contents?)|header of the source mail|included is a copy"
    r"|undelivered (?:message|mail)(?: headers?)?|the original (?:message|mail)|your original message"
    r"|копия (?:вашего )?(?:письма|сообщения)|исходное сообщение|ниже (?:этой линии |следует )?копия|текст письма"
    r")[^\n]{0,80}$"
    r"|^(?:return-path|received|delivered-to|x-original-to|arc-seal|dkim-signature|mime-version|message-id"
    r"|date):[ \t]\S",
    re.IGNORECASE | re.MULTILINE,
)
_MESSAGE_ID = re.compile(r"^[ \t>]{0,8}message-id:\s{0,4}(<[^<>\s]{3,250}>)", re.IGNORECASE | re.MULTILINE)
_A = r"<?((?!')[\w.+=#/*%!&'~?-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,10})>?(?!\.?[\w-])"
_STRONG = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"^[ \t>*•-]{{0,12}}(?:rcpt to:|smtp;|rfc822;|(?:(?:intended"
        rf"|failed) )?recipients?(?: address)?:\s*|original address:\s*)?"
        rf"(?:\"[^\"\n]{{1,80}}\"[ \t]{{1,3}}(?=<))?\"?{_A}\"?[ \t]*(?:[:;,.]|\.\.\.|\(|on \w{{3}},|-|--|=|$)",
        rf"(?:rcpt to:|expanded from:?|your message was addressed,|dda:smtp=)[ \t]*{_A}",
        rf"\b[45]\d\d[ -](?:[45]\.\d{{1,3}}\.\d{{1,3}}[ :-]*)?(?:\w{{1,20}}:? )?{_A}",
        rf"(?:(?:unknown|invalid|illegal|no such|bad|local) (?:user|recipient|address|account)s?"
        rf"|user unknown|addressee|recipients?|failed addresses follow|smtp|address|mailbox|account|account name)"
        rf"(?: is|:|=|-|,)?[ \t]{{0,12}}\(?\"?{_A}",
        rf"(?:deliver\w*|message|mail|sent|recipient|user)\b[^\n@]{{0,60}}\b(?:to|for|recipient|user"
        rf"|address)[: \t]+\"?{_A}",
        rf"{_A}\"?,? (?:is|was|has|does|could|cannot|can not|account|user|unknown|mailbox|undeliverable|failed|не)\b",
    )
)
_ANY = re.compile(_A)
_OURSELVES = re.compile(
    r"(mailer-?daemon|mail-?daemon|postmaster|abuse|root|daemon|majordomo|helpdesk|help|support|admin|noc|hostmaster"
    r"|spam|unblock)@",
    re.IGNORECASE,
)
_SERVER = re.compile(r"[\"' <]*(mailer[- _]?daemon|post_?master|mail delivery (sub)?system)\b", re.IGNORECASE)
_DAEMON = re.compile(
    r"[\"' ]*(symantec|interscan|imss|antivirus|mail ?gate|system ?administrator|mailer-?daemon"
    r"|mail-?daemon|maildaemon|postmaster|mdaemon|majordomo|mail\.?delivery|mailadmin|mail-?admin"
    r"|mail_?robot|bounces?|microsoftexchange[\w]*|administrator|admin|smtp|root|no-?reply|mmx?\d*|mms?gw"
    r"|mail)(?![a-z])",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|not (yet )?(be )?(been )?delivered|delivery warning|error sending|processing error"
    r"|could ?n.t (be )?(sent|delivered?)|non[- ]?deliver|delivery (status|fail|problem|error"
    r"|notification|report|delayed|has failed|incomplete|unsuccessful|not)|deliver(y|ing).{0,20}(fail|error"
    r"|problem|delay)"
    r"|return(ed|ing) (mail|message|to sender)|mail (delivery )?(fail|error|problem|system error|not)"
    r"|failed (mail|message|delivery)"
    r"|failure (notice|notification|delivery)|delivery (to|of).{0,80}fail|unable to deliver|undelivered|unzustellbar"
    r"|message (delayed|not delivered|delivery|status|you sent|rejected)|warning:? (message|could not"
    r"|delivery|mail)|user unknown"
    r"|(nicht|non|pas) .{0,20}(zugestellt|recapitat|remis)|mail could not be|bounce|rejected"
    r"|permanent error|mail failure"
    r"|message could not|cannot be delivered|delivery report|could not (be )?(deliver|send)|dsn|ndn:"
    r"|undelivered|delivery delayed"
    r"|не ?доставлен|недоставлен|не может быть доставлен|не удалось доставить|невозможно доставить|ошибка доставки"
    r"|возврат (письма|почты)|доставка .{0,30}(не удалась|невозможна|задерж)|配信|不能投递|退信",
    re.IGNORECASE,
)
_WORDING = re.compile(
    r"could(n't| not| n't) (be )?(deliver|sent|reach|send)|not (yet )?(be |been )?deliver(ed|able)"
    r"|undeliver|unable to (be )?(deliver|send|relay)"
    r"|wasn't able to deliver|(delivery|deliver) .{0,60}(fail|problem|unsuccessful|delayed|aborted|impossible|error)"
    r"|permanent (fatal )?(error|fail|delivery)|failed (permanently|addresses|to deliver)|can(not|'t"
    r"| not) (be )?(deliver|send)"
    r"|did not (reach|receive)|user unknown|unknown user|no such user|returned (to sender|mail|message"
    r"|because)|has been (returned|postponed)|account is disabled|invalid (user|address|recipient)"
    r"|trouble delivering|smtp error from remote"
    r"|said: [45]\d\d|^[ <>]{0,4}[45]\d\d[ -][45]?\.?|mailbox (is )?(full|unavailable|not found)"
    r"|failed addresses|address(es)? failed"
    r"|mail could not|has been rejected|was rejected|not accept(ed|ing)|exceed(s|ed|ing) .{0,30}(quota"
    r"|limit|size)|over quota"
    r"|delivery (to|of) .{0,80} (was|has been)|message not delivered|have been unable|we were unable"
    r"|unable to deliver"
    r"|не (может|могло|было|удалось|была?) (быть )?(доставлен|отправлен)|не доставлено|доставить .{0,60}не удалось"
    r"|无法|届けることが|届ける事が|送信できません|配信できません|delivered only to|address .{0,30}(unknown|invalid)"
    r"|following (recipient|address)|is unknown to (the|my)|addressee|sender's address",
    re.IGNORECASE | re.MULTILINE,
)
_TEMPORARY = re.compile(
    r"will (be )?(retry|retried|continue|keep) |has been postponed|still being|this is a warning"
    r"|warning message only|not? need to (resend|re-send)"
    r"|no action is required|has been delayed|message (is )?delayed|delivery (is |has been )?delayed"
    r"|will be re-?attempted"
    r"|could not be delivered for|not yet been delivered|delivery will be attempted|attempts? will continue"
    r"|остаётся в очереди"
    r"|попытки .{0,30}(будут )?продолж|повторн\w+ попыт|задерж",
    re.IGNORECASE,
)

_ANSWERED = re.compile(
    r"(?<![\w.:+-])[45]\d\d[ -](?:[45]\.\d{1,3}\.\d{1,3}\b|[A-Za-z<])[^\n]{3,300}(?:\n[ \t][^\n]{1,300})?"
)
_ANSWER = re.compile(r"\s*(re|fwd?|aw|ответ|пересл\w*)\s*(\[\d+\])?:\s?\S.{0,40}\w", re.IGNORECASE)


def explanation(text: str) -> str:
    """Return what stands before the returned mail."""
    text = text[:MAX_TEXT]
    for found in _ORIGINAL.finditer(text):
        if len(text[: found.start()].strip()) > 40:
            return text[: found.start()]
    return text


def original_ids(text: str) -> tuple[str, ...]:
    """Return the Message-ID of the mail that is returned as text."""
    text = text[:MAX_TEXT]
    return tuple(dict.fromkeys(_MESSAGE_ID.findall(text, len(explanation(text)))))[:1]


def answer_of_server(text: str) -> str:
    """Return the first line that quotes an SMTP answer, wherever it stands; empty if none does."""
    found = _ANSWERED.search(text[:MAX_TEXT])
    return found[0] if found else ""


def recipients(text: str, not_these: set[str]) -> list[str]:
    """Return the addresses an explanation says failed; those it only mentions if it names none clearly."""
    for patterns in (_STRONG[:3], _STRONG[3:], (_ANY,)):
        found = [each.lower() for pattern in patterns for each in pattern.findall(text)]
        kept = dict.fromkeys(each for each in found if each not in not_these and not _OURSELVES.match(each))
        if kept:
            return list(kept)[:MAX_RECIPIENTS]
    return []


def daemon(name: str) -> int:
    """Return how sure it is that a name or local part is a mail server's: 3 certain, 2 likely, 0 not."""
    return 3 if _SERVER.match(name) else 2 * (_DAEMON.match(name) is not None)


def is_subject_of_bounce(subject: str) -> bool:
    return _SUBJECT.search(subject) is not None


def is_wording_of_bounce(explained: str) -> bool:
    return _WORDING.search(explained) is not None


def is_temporary(explained: str) -> bool:
    """Tell whether the server goes on trying."""
    return _TEMPORARY.search(explained) is not None


def is_answer(subject: str) -> bool:
    """Tell whether a person answers or forwards: what they write about a bounce is none."""
    return _ANSWER.match(subject) is not None
