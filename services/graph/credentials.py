"""Checking a name and a password, throttled."""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterator

from services.chassis.errors import QuotaExceededError

from .domain import MAX_LOGIN_FAILURES, MAX_WIDE_LOGIN_FAILURES, User, is_user_name
from .errors import CredentialsInvalidError
from .passwords import Passwords
from .store.login_failures import PostgresLoginFailures
from .store.users import PostgresUsers


class Credentials:
    """Says whose credentials these are; the same, and as late, for unknown names."""

    def __init__(
        self, users: PostgresUsers, passwords: Passwords, failures: PostgresLoginFailures
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._failures = failures
        self._trying: Counter[bytes] = Counter()

    async def check(self, user_name: str, password: str, address: str) -> User:
        """The user, or CREDENTIALS_INVALID, or QUOTA_EXCEEDED after too many failures."""
        account = user_name.lower()
        pair = _bucket("pair", account, address)
        limits = {
            pair: MAX_LOGIN_FAILURES,
            _bucket("account", account): MAX_WIDE_LOGIN_FAILURES,
            _bucket("address", address): MAX_WIDE_LOGIN_FAILURES,
        }
        with self._passwords.turn(), self._attempt(pair):
            if seconds := await self._failures.blocked_for(limits):
                raise _exceeded(seconds)
            user = await self._verify(user_name, password)
            if user is None:
                await self._failures.count(list(limits))
                raise CredentialsInvalidError
        await self._failures.forget(pair)
        return user

    @contextlib.contextmanager
    def _attempt(self, pair: bytes) -> Iterator[None]:
        """Attempts under way count too: otherwise many at once would be many guesses."""
        if self._trying[pair] >= MAX_LOGIN_FAILURES:
            raise _exceeded(1.0)
        self._trying[pair] += 1
        try:
            yield
        finally:
            self._trying[pair] -= 1
            if not self._trying[pair]:
                del self._trying[pair]

    async def _verify(self, user_name: str, password: str) -> User | None:
        login = await self._users.find_login(user_name) if is_user_name(user_name) else None
        matches = await self._passwords.verify(password, login.password_hash if login else "")
        return login.user if login and matches else None


def _bucket(*parts: str) -> bytes:
    """Names of no fixed length, and no address in the database: a hash of both."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest()


def _exceeded(seconds: float) -> QuotaExceededError:
    return QuotaExceededError(
        quota="failed_logins", limit=MAX_LOGIN_FAILURES, retry_after=max(1.0, seconds)
    )
