"""A push service that decrypts what it gets, and a mail server: both real, on loopback."""

import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

import http_ece
import jwt
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.notify.delivery.push import unpadded
from tests.ports import free_port

SECRET = b"0123456789abcdef"


@dataclass
class Pushed:
    """One message, decrypted."""

    path: str
    payload: dict[str, Any]
    headers: dict[str, str]


@dataclass
class PushService:
    """What browsers' push services do: take messages, or not."""

    url: str
    key: ec.EllipticCurvePrivateKey
    got: list[Pushed] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """What to answer next instead of 201, in turn."""

    @property
    def p256dh(self) -> str:
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return unpadded(point)

    @property
    def auth(self) -> str:
        return unpadded(SECRET)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.answers:
            status, headers = self.answers.pop(0)
            return web.Response(status=status, headers=headers)
        plain = http_ece.decrypt(
            body, private_key=self.key, auth_secret=SECRET, version="aes128gcm"
        )
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Pushed(request.path, json.loads(plain), headers))
        return web.Response(status=201)

    def signed_for(self, headers: dict[str, str]) -> str:
        """The audience of a VAPID signature, which must be right."""
        parts = dict(
            part.strip().split("=", 1)
            for part in headers["authorization"].removeprefix("vapid ").split(",")
        )
        raw = parts["k"] + "=" * (-len(parts["k"]) % 4)
        public = ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256R1(), base64.urlsafe_b64decode(raw)
        )
        claims = jwt.decode(parts["t"], public, algorithms=["ES256"], audience=self.url)
        return str(claims["aud"])


@contextlib.asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    port = free_port()
    service = PushService(f"http://127.0.0.1:{port}", ec.generate_private_key(ec.SECP256R1()))
    app = web.Application()
    app.router.add_post("/{rest:.*}", service.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield service
    finally:
        await runner.cleanup()


class Mailbox:
    """A mail server's memory; `refuse` is what it says instead of taking a mail."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.refuse: list[str] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuse:
            return self.refuse.pop(0)
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        return "250 taken"


class MailServer:
    """aiosmtpd on a port; it can be stopped and started."""

    def __init__(self, *, user: str = "", password: str = "", **options: Any) -> None:
        self.box = Mailbox()
        self._options = options
        self.port = free_port()
        self._login = (user, password)
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        user, password = self._login
        login = f"{user}:{password}@" if user else ""
        return f"smtp://{login}127.0.0.1:{self.port}"

    def start(self) -> None:
        user, password = self._login

        def check(
            _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
        ) -> AuthResult:
            right = LoginPassword(user.encode(), password.encode())
            return AuthResult(success=data == right)

        options: dict[str, Any] = (
            {"authenticator": check, "auth_required": True, "auth_require_tls": False}
            if user
            else {}
        )
        options |= self._options
        self._controller = Controller(self.box, hostname="127.0.0.1", port=self.port, **options)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None
