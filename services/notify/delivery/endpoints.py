"""Which push endpoints are called: the only place from which the product calls out.

Public addresses of listed hosts, by https, and no redirects. What a name resolves to is looked at
when it is called, by the connection itself: a name cannot point elsewhere in between.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from ..errors import PushEndpointRefusedError

MAX_ENDPOINT = 2_048
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class PrivateAddressError(OSError):
    """A host's name leads to an address that is not public."""


class EndpointRules:
    """Judges endpoints: `hosts` with their subdomains; `allow_private` is for tests."""

    def __init__(self, hosts: str, *, allow_private: bool = False) -> None:
        self._hosts = [host.strip().lower() for host in hosts.split(",") if host.strip()]
        self.allow_private = allow_private

    def check(self, endpoint: str) -> None:
        """Refuse an endpoint by what it says. Raises PUSH_ENDPOINT_REFUSED."""
        if len(endpoint) > MAX_ENDPOINT:
            raise PushEndpointRefusedError(f"is longer than {MAX_ENDPOINT} characters")
        try:
            parts = urlsplit(endpoint)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise PushEndpointRefusedError("is no URL") from None
        if self.allow_private and host:
            return
        if parts.scheme != "https" or not host:
            raise PushEndpointRefusedError("must be an https URL")
        if parts.username or parts.password or port not in (None, 443):
            raise PushEndpointRefusedError("must name neither a user nor a port")
        if not any(host == known or host.endswith(f".{known}") for known in self._hosts):
            raise PushEndpointRefusedError(f"is at {host[:100]}, no push service on the list")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public network; a mapped one is what it stands for."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return found.is_global and not found.is_multicast


class PublicResolver(AbstractResolver):
    """Resolves names for aiohttp's connections, to public addresses only."""

    def __init__(self, resolve: Resolve | None = None) -> None:
        self._resolve = resolve or _resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of a host; PrivateAddressError when any of them is not public."""
        del family
        addresses = await self._resolve(host, port)
        for address in addresses:
            if not is_public(address):
                raise PrivateAddressError(f"{host} leads to {address}, which is not public")
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Nothing is held."""


async def _resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _result(host: str, address: str, port: int) -> ResolveResult:
    family: Any = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=0,
        flags=socket.AI_NUMERICHOST,
    )  # fmt: skip
