"""PURE: where a partner's webhook may be: an address on the internet, unless a setting names the network.

A webhook is sent by a server that stands inside; whoever may name its URL must not reach what only the inside can
(OWASP: server-side request forgery). So the address that is really connected to is judged, not the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LONGEST_URL = 2000
NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address."""


def url_problem(url: str, networks: Sequence[Network]) -> str | None:
    """Return why a URL cannot be a webhook's; None if it can, as far as its text tells."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "that is no URL"
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        return f"a URL has up to {LONGEST_URL} ASCII characters and no spaces; others are percent-encoded"
    if parts.scheme not in ("https", "http") or not host or port == 0:
        return "a webhook's URL is https://HOST/..."
    if parts.username is not None or parts.fragment:
        return "a webhook's URL has no password and no #fragment: webhooks are signed"
    if parts.scheme == "http" and not networks:
        return "http:// can be read on the way: use https://, or name the partner's network in OKNO_WEBHOOK_NETWORKS"
    try:
        return refusal(ip_address(host), networks, encrypted=parts.scheme == "https")
    except ValueError:
        return None


def refusal(address: Address, networks: Sequence[Network], *, encrypted: bool) -> str | None:
    """Return why an address must not be connected to, None if it may."""
    inner = _inner(address)
    if any(each.version == network.version and each in network for each in (address, inner) for network in networks):
        return None
    if not inner.is_global or inner.is_multicast:
        return f"{address} is inside a private network: OKNO_WEBHOOK_NETWORKS does not allow it"
    return None if encrypted else f"http:// only goes to OKNO_WEBHOOK_NETWORKS, and {address} is in none"


def _inner(address: Address) -> Address:
    """Return the IPv4 address inside of an IPv6 one that stands for it."""
    if isinstance(address, IPv6Address):
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address
    return address
