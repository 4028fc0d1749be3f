"""Hashing passwords beside the event loop: few threads, a short queue."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from prometheus_client import CollectorRegistry, Gauge

from services.chassis.errors import OverloadedError

WORKERS = 2
MAX_PENDING = 64
"""Calls that hash or wait for it, at most."""
MAX_WAIT_SECONDS = 1.5
"""Nobody is let in who would wait longer: a machine that is slow today has a shorter queue."""
SMOOTHING = 0.2
"""Weight of the newest hash in the expected duration."""
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
"""OWASP's minimum for argon2id: 38 MiB for both workers."""
Answer = TypeVar("Answer")


class Passwords:
    """Argon2id; an async context manager that owns its threads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._threads = ThreadPoolExecutor(WORKERS, "password")
        self._pending = 0
        self._seconds = 0.03
        self._decoy = ""
        Gauge(
            "aviary_graph_pending_passwords",
            "Passwords being hashed or waiting for it",
            registry=registry,
        ).set_function(lambda: self._pending)

    async def __aenter__(self) -> Self:
        """Make the hash that unknown users' passwords are compared with."""
        self._decoy = await self.hash(secrets.token_urlsafe())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the threads; what waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """A place in the queue, taken before any other work; OVERLOADED at once when it is full."""
        expected_wait = self._pending * self._seconds / WORKERS
        if self._pending >= MAX_PENDING or expected_wait > MAX_WAIT_SECONDS:
            raise OverloadedError(resource="password hashing")
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1

    async def hash(self, password: str) -> str:
        """The salted hash of a password; call it within a turn."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password: str, password_hash: str) -> bool:
        """Whether it is the password; takes as long where there is no hash. Needs a turn too."""
        matches = await self._run(lambda: self._matches(password_hash or self._decoy, password))
        return matches and bool(password_hash)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        loop = asyncio.get_running_loop()
        answer, seconds = await loop.run_in_executor(self._threads, _timed, work)
        self._seconds += SMOOTHING * (seconds - self._seconds)
        return answer


def _timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started
