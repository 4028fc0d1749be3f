"""Web Push (RFC 8030): encrypted for one browser (RFC 8291), signed as ours (RFC 8292)."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02
from pywebpush import WebPusher

from ..domain_inbox import Kind
from .endpoints import EndpointRules, PublicResolver, Resolve
from .outcomes import Failed, Outcome, Sent

TTL_SECONDS = 86_400
URGENT = {Kind.MESSAGE, Kind.MENTION, Kind.REPLY}
TIMEOUT = 10.0
GONE = (404, 410)
MAX_ERROR = 300
KEY_BYTES, SECRET_BYTES = 65, 16


class Subscription(NamedTuple):
    """A browser or device, with what is encrypted for it."""

    subscription_id: int
    user_id: int
    endpoint: str
    p256dh_key: bytes
    auth_secret: bytes


class Expired(NamedTuple):
    """The push service does not know the subscription any more."""


class VapidKey:
    """Our key pair, as a file holds it."""

    def __init__(self, path: Path, subject: str) -> None:
        self._vapid = Vapid02.from_pem(path.read_bytes())
        self._subject = subject

    @property
    def public_key(self) -> str:
        """What a browser subscribes with, base64url."""
        point = self._vapid.public_key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return unpadded(point)

    def headers(self, endpoint: str) -> dict[str, str]:
        """The signature for one push service."""
        parts = urlsplit(endpoint)
        claims = {"sub": self._subject, "aud": f"{parts.scheme}://{parts.netloc}"}
        return dict(self._vapid.sign(claims))


class PushSender:
    """Sends to push services."""

    def __init__(self, session: aiohttp.ClientSession, key: VapidKey, rules: EndpointRules) -> None:
        self._session = session
        self._key = key
        self._rules = rules

    async def send(
        self, subscription: Subscription, kind: Kind, topic: str, payload: dict[str, Any]
    ) -> Outcome | Expired:
        """Send one message to one device; one of the same topic that waits there is replaced."""
        try:
            self._rules.check(subscription.endpoint)
            body = encrypted(subscription, json.dumps(payload).encode())
            headers = self._key.headers(subscription.endpoint) | {
                "content-encoding": "aes128gcm",
                "content-type": "application/octet-stream",
                "ttl": str(TTL_SECONDS),
                "urgency": "high" if kind in URGENT else "normal",
                "topic": topic,
            }
            async with self._session.post(
                subscription.endpoint, data=body, headers=headers, allow_redirects=False
            ) as reply:
                return _outcome(reply.status, reply.headers.get("retry-after", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Failed(f"{type(error).__name__}: {error}"[:MAX_ERROR])
        except Exception as error:  # refused by the rules, or keys that encrypt nothing
            return Failed(str(error)[:MAX_ERROR], permanent=True)


def _outcome(status: int, retry_after: str) -> Outcome | Expired:
    if 200 <= status < 300:
        return Sent()
    if status in GONE:
        return Expired()
    after = float(retry_after) if retry_after.isdecimal() else 0.0
    passing = status == 429 or status >= 500
    return Failed(f"the push service answered {status}", permanent=not passing, after=after)


def encrypted(subscription: Subscription, payload: bytes) -> bytes:
    """A payload for a device's eyes only."""
    keys = {
        "p256dh": unpadded(subscription.p256dh_key),
        "auth": unpadded(subscription.auth_secret),
    }
    pusher = WebPusher({"endpoint": subscription.endpoint, "keys": keys})
    body: bytes = pusher.encode(payload, content_encoding="aes128gcm")["body"]
    return body


def key_of(text: str) -> bytes | None:
    """A browser's public key, if that is one: a point on P-256."""
    raw = _decoded(text)
    if raw is None or len(raw) != KEY_BYTES:
        return None
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        return None
    return raw


def secret_of(text: str) -> bytes | None:
    """A browser's secret, if that is one."""
    raw = _decoded(text)
    return raw if raw is not None and len(raw) == SECRET_BYTES else None


def unpadded(raw: bytes) -> str:
    """Bytes as base64url without padding, as browsers write it."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, UnicodeEncodeError):
        return None


@asynccontextmanager
async def open_sender(
    key: VapidKey, rules: EndpointRules, resolve: Resolve | None = None
) -> AsyncIterator[PushSender]:
    """A sender with its connections."""
    resolver = None if rules.allow_private else PublicResolver(resolve)
    connector = aiohttp.TCPConnector(resolver=resolver, limit=100)
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT)
    ) as session:
        yield PushSender(session, key, rules)
