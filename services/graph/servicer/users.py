"""Accounts: making, reading and changing them."""

import hashlib
from collections.abc import Callable

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import IdempotencyMismatchError, InvalidFieldError

from .. import domain
from ..credentials import Credentials
from ..domain import Account, User
from ..errors import UserNameNotFoundError, UserNotFoundError
from ..passwords import Passwords
from ..store.idempotency import Answered
from ..store.profile_writer import ProfileWriter
from ..store.user_cache import UserCache
from ..store.users import PostgresUsers
from .address import address_of
from .changes import changed_fields, profile_change_of
from .messages import Messages

ANYBODY = 0
SESSION_ID = b"x-aviary-session-id"
"""The session of the caller's token, where the edge hands it on."""


class UserMethods:
    """CreateUser, GetUser, LookupUser, BatchGetUsers, UpdateUser."""

    def __init__(
        self,
        users: PostgresUsers,
        cache: UserCache,
        profile_writer: ProfileWriter,
        passwords: Passwords,
        credentials: Credentials,
        messages: Messages,
        next_id: Callable[[], int],
    ) -> None:
        self._users = users
        self._user_cache = cache
        self._profile_writer = profile_writer
        self._passwords = passwords
        self._credentials = credentials
        self._messages = messages
        self._next_user_id = next_id

    async def create_user(self, request: pb.CreateUserRequest, call: Call) -> bytes:
        """Make an account."""
        key = call.idempotency_key(request.request_id)
        _check_account(request)
        with self._passwords.turn():
            if key and (known := await self._users.answered(ANYBODY, key)):
                return await self._repeat_user(request, known)
            reply = await self._create_user(request, key)
            if reply is None:  # somebody else used the key meanwhile
                known = await self._users.answered(ANYBODY, key)
                assert known is not None
                return await self._repeat_user(request, known)
            return reply

    async def get_user(self, request: pb.GetUserRequest, call: Call) -> pb.GetUserResponse:
        """One user, with exact counts."""
        user_id = call.any_user_id(request.user_id)
        user = await self._users.get(user_id)
        if user is None:
            raise UserNotFoundError(user_id=user_id)
        return pb.GetUserResponse(user=self._messages.user(user))

    async def lookup_user(
        self, request: pb.LookupUserRequest, _call: Call
    ) -> pb.LookupUserResponse:
        """One user by name."""
        name = request.user_name
        login = await self._users.find_login(name) if domain.is_user_name(name) else None
        if login is None:
            raise UserNameNotFoundError(user_name=name[:40])
        return pb.LookupUserResponse(user=self._messages.user(login.user))

    async def batch_get_users(self, request: pb.BatchGetUsersRequest, _call: Call) -> bytes:
        """Users in the order asked, their stored bytes joined."""
        user_ids = list(dict.fromkeys(request.user_ids))
        if len(request.user_ids) > domain.MAX_BATCH_USERS:
            raise InvalidFieldError(
                field="user_ids",
                problem=f"holds {len(request.user_ids)} ids;"
                f" at most {domain.MAX_BATCH_USERS} are allowed",
            )
        return await self._user_cache.join(user_ids)

    async def update_user(self, request: pb.UpdateUserRequest, call: Call) -> pb.UpdateUserResponse:
        """Change the caller's account."""
        user_id = call.own_user_id(request.user_id)
        user = await self._users.get(user_id)
        if user is None:
            raise UserNotFoundError(user_id=user_id)
        change = profile_change_of(request, user.user_name)
        if "password" in changed_fields(request):
            current = request.current_password
            await self._credentials.check(user.user_name, current, address_of(call))
            with self._passwords.turn():
                password_hash = await self._passwords.hash(request.password)
            change = change._replace(password_hash=password_hash)
        session = call.headers.get(SESSION_ID, b"")
        keep = int(session) if session.isdigit() else 0
        user = await self._profile_writer.update(user_id, change, keep_session=keep)
        return pb.UpdateUserResponse(user=self._messages.user(user))

    async def _create_user(self, request: pb.CreateUserRequest, key: str) -> bytes | None:
        password_hash = await self._passwords.hash(request.password)
        user = User(
            user_id=self._next_user_id(),
            user_name=request.user_name,
            display_name=request.display_name or request.user_name,
            description=request.description,
            protected=request.protected,
        )
        reply = pb.CreateUserResponse(user=self._messages.user(user)).SerializeToString()
        answer = Answered(ANYBODY, key, _fingerprint(request), password_hash, reply)
        account = Account(user, request.email, password_hash)
        event = self._messages.user_created(user)
        created = await self._users.create(account, event, answer if key else None)
        return reply if created else None

    async def _repeat_user(self, request: pb.CreateUserRequest, known: Answered) -> bytes:
        same = known.fingerprint == _fingerprint(request)
        if not (same and await self._passwords.verify(request.password, known.secret_hash)):
            raise IdempotencyMismatchError(request_id=known.request_id)
        return known.response


def _check_account(request: pb.CreateUserRequest) -> None:
    domain.check_user_name(request.user_name)
    domain.check_password(request.password)
    domain.check_text("display_name", request.display_name, domain.MAX_DISPLAY_NAME)
    domain.check_text("description", request.description, domain.MAX_DESCRIPTION, lines=True)
    domain.check_email(request.email)


def _fingerprint(request: pb.CreateUserRequest) -> bytes:
    """Fingerprint of all but the password, of which no fast hash may be stored."""
    body = pb.CreateUserRequest()
    body.CopyFrom(request)
    body.ClearField("password")
    body.ClearField("request_id")
    return hashlib.sha256(body.SerializeToString(deterministic=True)).digest()
