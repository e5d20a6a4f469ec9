"""Recordings from the provider, with its credentials and from its own hosts only."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager

from shared.channels.telephony.api import Answer, Api, ForeignAddress, NoAnswer, NotReached, TooLarge, open_api
from shared.channels.telephony.apis import APIS
from shared.channels.telephony.provider_api import ProviderApi
from shared.connector import Channel, FetchDelayed, FetchRefused
from shared.contracts.inbound import RemoteFile
from shared.parsed import ParsedFile
from shared.said import said

NOT_READY_SECONDS = 60.0
_ENDINGS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/ogg": "ogg"}
_BYTES = ("application/octet-stream", "binary/octet-stream", "application/force-download", "")


async def fetch(channel: Channel, remote_file: RemoteFile) -> ParsedFile:
    """Return a recording. Raises FetchRefused or FetchDelayed."""
    provider = APIS.get(channel.settings["provider"])
    try:
        async with _opened(channel, provider) as api:
            answer = await _asked(api, channel, provider, remote_file.ref)
    except ForeignAddress as error:
        raise FetchRefused(f"The recording is not fetched: {error}.") from error
    except TooLarge as error:
        raise FetchRefused(f"The recording is {error}.") from error
    except (NotReached, NoAnswer) as error:
        raise FetchDelayed(said(error)) from error
    _check(answer, keeps_back=provider is not None and provider.keeps_recordings_back)
    media_type = answer.media_type if answer.media_type.startswith("audio/") else remote_file.media_type
    return ParsedFile(_name(remote_file.name, media_type), media_type, answer.body)


def _opened(channel: Channel, provider: ProviderApi | None) -> AbstractAsyncContextManager[Api]:
    if provider is not None:
        return open_api(channel, provider.base, provider.hosts)
    if not channel.settings["api_url"]:
        raise FetchRefused("The channel names no api_url: a recording elsewhere is not fetched.")
    return open_api(channel, "", ())


def _asked(api: Api, channel: Channel, provider: ProviderApi | None, ref: str) -> Awaitable[Answer]:
    return provider.recording(api, channel, ref) if provider else api.download("GET", ref)


def _check(answer: Answer, *, keeps_back: bool) -> None:
    """Raise for what is no recording."""
    if answer.status in (404, 410) and not keeps_back:
        raise FetchRefused("The provider no longer has the recording.")
    if answer.status in (404, 410):
        raise FetchDelayed("The provider does not have the recording yet.", NOT_READY_SECONDS)
    if answer.status != 200:
        raise FetchDelayed(f"The provider answered {answer.status}.", answer.retry_after_seconds)
    is_audio = answer.media_type.startswith("audio/") or answer.media_type in _BYTES
    if not is_audio or not answer.body:
        raise FetchDelayed(f"The provider gave {answer.media_type or 'nothing'} for a recording.", NOT_READY_SECONDS)


def _name(name: str, media_type: str) -> str:
    stem = name.rpartition(".")[0] or name
    return f"{stem}.{_ENDINGS[media_type]}" if media_type in _ENDINGS else name
