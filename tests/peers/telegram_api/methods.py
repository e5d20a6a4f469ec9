"""The methods of the Bot API that a peer needs, with the official server's rules and its words for a refusal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.peers.telegram_api.bot import Bot, Json, private_chat
from tests.peers.telegram_api.faults import Answer

Method = Callable[[Bot, Json, dict[str, tuple[str, bytes]]], Any]
DOWNLOAD_BYTES = 20 * 1024 * 1024
TEXT_UNITS, CAPTION_UNITS = 4096, 1024
_SECRET_CHARACTERS = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def get_me(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    return bot.me


def get_webhook_info(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    hook = bot.webhook
    info = {"url": hook.url, "has_custom_certificate": False, "pending_update_count": len(bot.updates)}
    if hook.last_error:
        info |= {"last_error_date": hook.last_error_at, "last_error_message": hook.last_error}
    return info


def set_webhook(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    secret = params.get("secret_token", "")
    if len(secret) > 256:
        raise Answer(400, "Bad Request: secret token is too long")
    if set(secret) - _SECRET_CHARACTERS:
        raise Answer(400, "Bad Request: secret token contains unallowed characters")
    bot.webhook.url, bot.webhook.secret, bot.webhook.last_error = params["url"], secret, ""
    bot.webhook.max_connections = params.get("max_connections", 40)
    bot.allowed_updates = params.get("allowed_updates", bot.allowed_updates)
    if params.get("drop_pending_updates"):
        bot.confirm([u["update_id"] for u in bot.updates], "drop_pending_updates")
    bot.news.set()
    return True


def delete_webhook(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    return set_webhook(bot, {**params, "url": ""}, files)


def get_file(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    data = bot.files.get(params["file_id"])
    if data is None:
        raise Answer(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
    if len(data) > DOWNLOAD_BYTES and not bot.local_folder:
        raise Answer(400, "Bad Request: file is too big")
    file_id = params["file_id"]
    path = f"{bot.local_folder}/{file_id}" if bot.local_folder else f"documents/{file_id}"
    return {
        "file_id": file_id,
        "file_unique_id": f"u{file_id}",
        "file_size": len(data),
        "file_path": path,
    }


def send_message(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    _check_text(params.get("text", ""), params.get("entities"), TEXT_UNITS, "message text is empty")
    return _posted(bot, params, {"text": params["text"], **_entities("entities", params.get("entities"))})


def _send_file(kind: str) -> Method:
    def send(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
        _check_text(params.get("caption"), params.get("caption_entities"), CAPTION_UNITS)
        content = _media(bot, kind, params[kind], files)
        if caption := params.get("caption"):
            content |= {"caption": caption, **_entities("caption_entities", params.get("caption_entities"))}
        return _posted(bot, params, content)

    return send


def send_media_group(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    media = params["media"]
    if not 2 <= len(media) <= 10:
        raise Answer(400, "Bad Request: group must contain 2-10 items" if len(media) < 2 else "Bad Request: too many")
    kinds = {each["type"] for each in media}
    if len(kinds) > 1 and kinds - {"photo", "video"}:
        raise Answer(400, "Bad Request: this type of message can't be mixed in an album")
    for each in media:
        _check_text(each.get("caption"), each.get("caption_entities"), CAPTION_UNITS)
    posted = []
    for each in media:
        content = _media(bot, each["type"], each["media"], files) | {"media_group_id": f"g{len(bot.sent)}"}
        if caption := each.get("caption"):
            content |= {"caption": caption, **_entities("caption_entities", each.get("caption_entities"))}
        posted.append(_posted(bot, params, content))
    group = posted[0]["media_group_id"]
    for each in posted:
        each["media_group_id"] = group
    return posted


def edit_text(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    message = _own(bot, params, "edit")
    if "text" not in message:
        raise Answer(400, "Bad Request: there is no text in the message to edit")
    _check_text(params["text"], params.get("entities"), TEXT_UNITS, "message text is empty")
    return _changed(message, {"text": params["text"], "entities": params.get("entities")})


def edit_caption(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    message = _own(bot, params, "edit")
    _check_text(params.get("caption"), params.get("caption_entities"), CAPTION_UNITS)
    return _changed(message, {"caption": params.get("caption"), "caption_entities": params.get("caption_entities")})


def delete_message(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    key = "", params["chat_id"], params["message_id"]
    if key not in bot.messages:
        raise Answer(400, "Bad Request: message to delete not found")
    del bot.messages[key]
    bot.deleted.append(key[1:])
    return True


def delete_business_messages(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    for key in list(bot.messages):
        if key[0] == params["business_connection_id"] and key[2] in params["message_ids"]:
            del bot.messages[key]
            bot.deleted.append(key[1:])
    return True


def set_reaction(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    key = params["chat_id"], params["message_id"]
    if ("", *key) not in bot.messages:
        raise Answer(400, "Bad Request: message to react not found")
    bot.reactions[key] = params.get("reaction", [])
    return True


def send_chat_action(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    _chat(bot, params)
    bot.actions.append((params["chat_id"], params["action"]))
    return True


def answer_callback_query(bot: Bot, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
    if params["callback_query_id"] in bot.answered_queries:
        raise Answer(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
    bot.answered_queries.append(params["callback_query_id"])
    return True


METHODS: dict[str, Method] = {
    "getMe": get_me,
    "getWebhookInfo": get_webhook_info,
    "setWebhook": set_webhook,
    "deleteWebhook": delete_webhook,
    "getFile": get_file,
    "sendMessage": send_message,
    **{f"send{kind.title()}": _send_file(kind) for kind in ("photo", "document", "voice", "audio", "video")},
    "sendAnimation": _send_file("animation"),
    "sendMediaGroup": send_media_group,
    "editMessageText": edit_text,
    "editMessageCaption": edit_caption,
    "deleteMessage": delete_message,
    "deleteBusinessMessages": delete_business_messages,
    "setMessageReaction": set_reaction,
    "sendChatAction": send_chat_action,
    "answerCallbackQuery": answer_callback_query,
}


def _chat(bot: Bot, params: Json) -> Json:
    chat = bot.chats.get(params["chat_id"])
    if chat is None:
        raise Answer(400, "Bad Request: chat not found")
    return chat


def _posted(bot: Bot, params: Json, content: Json) -> Json:
    chat, business = _chat(bot, params), params.get("business_connection_id", "")
    message: Json = {
        "message_id": bot.new_message_id(chat["id"]),
        "from": {"id": bot.id, "is_bot": True, "first_name": "Okno test"},
        "chat": chat,
        "date": int(time.time()),
        **content,
    }
    if business:
        message |= {"business_connection_id": business, "from": private_chat(1) | {"is_bot": False}}
        message["from"].pop("type")
    if topic := params.get("message_thread_id"):
        message |= {"message_thread_id": topic, "is_topic_message": True}
    if answered := params.get("reply_parameters"):
        message |= _answered(bot, business, chat["id"], answered)
    bot.messages[business, chat["id"], message["message_id"]] = message
    bot.sent.append(message)
    return message


def _answered(bot: Bot, business: str, chat_id: int, answered: Json) -> Json:
    original = bot.messages.get((business, chat_id, answered["message_id"]))
    if original is not None:
        return {"reply_to_message": {k: v for k, v in original.items() if k != "reply_to_message"}}
    if answered.get("allow_sending_without_reply"):
        return {}
    raise Answer(400, "Bad Request: message to be replied not found")


def _own(bot: Bot, params: Json, what: str) -> Json:
    key = params.get("business_connection_id", ""), params["chat_id"], params["message_id"]
    message = bot.messages.get(key)
    if message is None:
        raise Answer(400, f"Bad Request: message to {what} not found")
    if message not in bot.sent:
        raise Answer(400, f"Bad Request: message can't be {what}ed")
    return message


def _changed(message: Json, content: Json) -> Json:
    if all(message.get(name) == value for name, value in content.items()):
        raise Answer(400, "Bad Request: message is not modified: specified new message content is exactly the same")
    message.update({name: value for name, value in content.items() if value is not None})
    for name in [name for name, value in content.items() if value is None]:
        message.pop(name, None)
    message["edit_date"] = int(time.time())
    return message


def _media(bot: Bot, kind: str, reference: str, files: dict[str, tuple[str, bytes]]) -> Json:
    key = reference.removeprefix("attach://")
    if key not in files and reference not in bot.files:
        raise Answer(400, "Bad Request: wrong file identifier/HTTP URL specified")
    name, data = files.get(key, ("", b""))
    if key in files and not data:
        raise Answer(400, "Bad Request: file must be non-empty")
    file_id = f"sent-{len(bot.files)}"
    bot.files[file_id] = data or bot.files[reference]
    file: Json = {"file_id": file_id, "file_unique_id": f"u{file_id}", "file_size": len(bot.files[file_id])}
    match kind:
        case "photo":
            return {"photo": [{**file, "width": 90, "height": 90}]}
        case "document":
            return {"document": {**file, "file_name": name}}
        case "voice":
            return {"voice": {**file, "duration": 1}}
        case "audio":
            return {"audio": {**file, "duration": 1, "file_name": name}}
        case _:
            return {kind: {**file, "width": 90, "height": 90, "duration": 1, "file_name": name}}


def _entities(name: str, entities: Any) -> Json:
    return {name: entities} if entities else {}


def _check_text(text: str | None, entities: list[Json] | None, limit: int, empty: str = "") -> None:
    if text is None or not text.strip():
        if empty:
            raise Answer(400, f"Bad Request: {empty}")
        return
    if units(text) > limit:
        raise Answer(400, f"Bad Request: {'message' if limit == TEXT_UNITS else 'message caption'} is too long")
    encoded = text.encode("utf-16-le")
    for entity in entities or ():
        start, end = entity["offset"] * 2, (entity["offset"] + entity["length"]) * 2
        try:
            encoded[start:end].decode("utf-16-le")
        except UnicodeDecodeError:
            raise Answer(400, "Bad Request: entity beginning or ending in a middle of a UTF-16 symbol") from None
        if entity["length"] <= 0 or end > len(encoded):
            raise Answer(400, "Bad Request: entity is outside the text")
