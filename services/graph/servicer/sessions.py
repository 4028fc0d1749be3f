"""Logging in, staying logged in, logging out."""

import hashlib
import secrets
from collections.abc import Callable
from typing import TypeVar

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.tokens import LIFETIME_SECONDS, TokenSigner

from ..credentials import Credentials
from ..domain import DEFAULT_PLAN
from ..errors import DevKeyInvalidError, RefreshTokenInvalidError, SessionNotFoundError
from ..store.dev_keys import PostgresDevKeys
from ..store.sessions import PostgresSessions, Session
from .address import address_of
from .messages import Messages

TOKEN_BYTES = 32
Reply = TypeVar("Reply", pb.CreateSessionResponse, pb.RefreshSessionResponse)


class SessionMethods:
    """CreateSession, RefreshSession, DeleteSession."""

    def __init__(
        self,
        sessions: PostgresSessions,
        dev_keys: PostgresDevKeys,
        credentials: Credentials,
        signer: TokenSigner,
        messages: Messages,
        next_id: Callable[[], int],
    ) -> None:
        self._sessions = sessions
        self._session_dev_keys = dev_keys
        self._session_credentials = credentials
        self._signer = signer
        self._session_messages = messages
        self._next_session_id = next_id

    async def create_session(
        self, request: pb.CreateSessionRequest, call: Call
    ) -> pb.CreateSessionResponse:
        """Log in."""
        dev_key_id, plan = await self._application(request.api_dev_key)
        user = await self._session_credentials.check(
            request.user_name, request.password, address_of(call)
        )
        session = Session(self._next_session_id(), plan, user)
        refresh_token = secrets.token_urlsafe(TOKEN_BYTES)
        await self._sessions.create(
            session.session_id, user.user_id, dev_key_id, hash_of(refresh_token)
        )
        return self._fill(pb.CreateSessionResponse(), session, refresh_token)

    async def refresh_session(
        self, request: pb.RefreshSessionRequest, _call: Call
    ) -> pb.RefreshSessionResponse:
        """Exchange a refresh token for new tokens."""
        refresh_token = secrets.token_urlsafe(TOKEN_BYTES)
        session = await self._sessions.rotate(
            hash_of(request.refresh_token), hash_of(refresh_token)
        )
        if session is None:
            raise RefreshTokenInvalidError
        return self._fill(pb.RefreshSessionResponse(), session, refresh_token)

    async def delete_session(
        self, request: pb.DeleteSessionRequest, call: Call
    ) -> pb.DeleteSessionResponse:
        """Log out."""
        if not await self._sessions.delete(request.session_id, call.require_caller()):
            raise SessionNotFoundError(session_id=request.session_id)
        return pb.DeleteSessionResponse()

    async def _application(self, api_dev_key: str) -> tuple[int, str]:
        if not api_dev_key:
            return 0, DEFAULT_PLAN
        dev_key = await self._session_dev_keys.resolve(hash_of(api_dev_key))
        if dev_key is None:
            raise DevKeyInvalidError
        return dev_key.dev_key_id, dev_key.plan

    def _fill(self, reply: Reply, session: Session, refresh_token: str) -> Reply:
        user_id = session.user.user_id
        reply.session_id = session.session_id
        reply.access_token = self._signer.sign(
            user_id, plan=session.plan, session_id=session.session_id
        )
        reply.expires_in = LIFETIME_SECONDS
        reply.refresh_token = refresh_token
        reply.user.CopyFrom(self._session_messages.user(session.user))
        reply.token_type = "Bearer"  # noqa: S105 - the type's name
        return reply


def hash_of(secret: str) -> bytes:
    """What is stored of a secret of 256 random bits: it needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()
