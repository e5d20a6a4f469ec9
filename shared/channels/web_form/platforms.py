"""PURE: what form services add to a post: the number of the submission, and fields that no client typed.

Netlify: "outgoing webhook" of a form; Tilda: help page "Webhook"; Yandex Forms: help page "Send an HTTP request".
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.channels.web_form.body import Submission

TILDA_CHECK = (("test", "test"),)
"""Tilda posts `test=test` when the address is entered there, and expects 200."""
_NETLIFY = frozenset({"id", "form_id", "form_name", "site_url"})
_NETLIFY_CONTEXT = frozenset({"data.ip", "data.user_agent", "data.referrer"})
_RPC_ENVELOPE = frozenset({"jsonrpc", "method", "id"})
_OWNERS_IDS = frozenset({"answer_id", "answerid", "submission_id", "submissionid"})
_TELLING = frozenset({"tranid", "form_id", "jsonrpc"}) | {f"{p}{n}" for p in ("", "params.") for n in _OWNERS_IDS}


@dataclass(frozen=True, slots=True)
class Platform:
    """`id` names the submission for good; `hint` only together with what was posted (the form's owner chose it)."""

    id: str = ""
    hint: str = ""
    machinery: frozenset[str] = frozenset()
    """Fields that are shown with the others but are nothing the client said."""


_NONE = Platform()


def platform_of(submission: Submission) -> Platform:
    """Return what is known of the service that posted; all empty for a plain form."""
    for name, _ in submission.fields:
        if name.lower() in _TELLING:
            return _recognised(submission)
    return _NONE


def _recognised(submission: Submission) -> Platform:
    values = {name: value.strip() for name, value in reversed(submission.fields)}
    if values.keys() >= _NETLIFY:
        said = {n for n in values if n.startswith("data.") and n not in _NETLIFY_CONTEXT}
        return Platform(f"netlify:{values['id']}"[:255], machinery=frozenset(values.keys() - said))
    machinery = _RPC_ENVELOPE if "jsonrpc" in values else frozenset()
    if tranid := values.get("tranid"):
        return Platform(f"tranid:{tranid[:255]}", machinery=machinery)
    ids = [value for n, value in values.items() if n.lower().removeprefix("params.") in _OWNERS_IDS and value]
    return Platform(hint=ids[-1][:255] if ids else "", machinery=machinery)
