"""Who said what lately, in Redis: a sorted set of users by time for each term, and the ranking.

All of it may vanish: an hour later it is back. Every command concerns one key and may be repeated.
A set holds at most some thousand users; beyond, it is a sample of them (see `is_sampled`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.chassis.redis_pipeline import Pipeline, packed
from services.chassis.stores import Redis

from ..domain_trends import WINDOW_MS, Kind, Term, is_sampled

MAX_TERMS = 20_000
"""Terms of one kind that are counted at a time."""
MAX_MEMBERS = 4_096
KEPT_SECONDS = 2 * WINDOW_MS // 1000
MAX_KEY = 120
PUBLISHED = "trends:published"
LEASE = "trends:lease"
COMMANDS = 2_000
"""Commands of one pipeline, so that no other call waits long behind it."""


class Uses(NamedTuple):
    """Who used a term: the newest time (Unix ms) by user, and how it was written."""

    users: dict[int, int]
    form: str


class Known(NamedTuple):
    """The terms of one kind that are being counted, and the level of those that are sampled."""

    terms: list[str]
    levels: dict[str, int]
    forms: dict[str, str]


class TrendStore:
    """The counts. Every method raises redis' errors."""

    def __init__(self, redis: Redis, *, max_members: int = MAX_MEMBERS) -> None:
        self._redis = redis
        self._pipeline = Pipeline(redis)
        self._max_members = max_members

    async def add(
        self, uses: Mapping[Term, Uses], levels: Mapping[Kind, Mapping[str, int]]
    ) -> None:
        """Count users; one that is counted already only becomes newer."""
        commands: list[bytes] = []
        newest: dict[Kind, list[bytes]] = {}
        forms: dict[Kind, list[bytes]] = {}
        for (kind, key), (users, form) in uses.items():
            level, raw = levels.get(kind, {}).get(key, 0), key.encode()
            newest.setdefault(kind, []).extend((b"%d" % max(users.values()), raw))
            forms.setdefault(kind, []).extend((raw, form.encode()))
            members = [u for u in users if is_sampled(u, level)] if level else users
            if members:
                name = _users(kind, key).encode()
                scored = [part for u in members for part in (b"%d" % users[u], _member(u))]
                commands.append(packed(b"ZADD", name, b"GT", *scored))
                commands.append(packed(b"EXPIRE", name, b"%d" % KEPT_SECONDS))
        for kind, times in newest.items():
            commands.append(packed(b"ZADD", _terms(kind).encode(), b"GT", *times))
            commands.append(packed(b"HSET", _forms(kind).encode(), *forms[kind]))
        for start in range(0, len(commands), COMMANDS):
            part = commands[start : start + COMMANDS]
            await self._pipeline.execute(b"".join(part), len(part))

    async def remove(self, uses: Mapping[Term, Mapping[int, int]]) -> None:
        """Take back users whose newest use was that one: it was deleted."""
        if not uses:
            return
        commands = self._redis.pipeline(transaction=False)
        asked = [(term, user, ms) for term, users in uses.items() for user, ms in users.items()]
        for (kind, key), user, _ in asked:
            commands.zscore(_users(kind, key), _member(user))
        newest = await commands.execute()
        gone = self._redis.pipeline(transaction=False)
        for ((kind, key), user, ms), score in zip(asked, newest, strict=True):
            if score is not None and int(score) <= ms:
                gone.zrem(_users(kind, key), _member(user))
        await gone.execute()

    async def known(self, kind: Kind) -> Known:
        """The terms that are being counted."""
        commands = self._redis.pipeline(transaction=False)
        commands.zrevrange(_terms(kind), 0, -1)
        commands.hgetall(_levels(kind))
        commands.hgetall(_forms(kind))
        terms, levels, forms = await commands.execute()
        return Known(
            [term.decode() for term in terms],
            {key.decode(): int(level) for key, level in levels.items()},
            {key.decode(): form.decode() for key, form in forms.items()},
        )

    async def levels(self, kind: Kind) -> tuple[int, dict[str, int]]:
        """How many terms are being counted, and the level of those that are sampled."""
        commands = self._redis.pipeline(transaction=False)
        commands.zcard(_terms(kind))
        commands.hgetall(_levels(kind))
        count, levels = await commands.execute()
        return int(count), {key.decode(): int(level) for key, level in levels.items()}

    async def volumes(
        self, kind: Kind, terms: Sequence[str], levels: Mapping[str, int], now_ms: int
    ) -> dict[str, int]:
        """How many different users each term had in the window that ends now."""
        found: dict[str, int] = {}
        for start in range(0, len(terms), COMMANDS):
            part = terms[start : start + COMMANDS]
            commands = self._redis.pipeline(transaction=False)
            for key in part:
                commands.zcount(_users(kind, key), f"({now_ms - WINDOW_MS}", "+inf")
            for key, count in zip(part, await commands.execute(), strict=True):
                found[key] = int(count) << levels.get(key, 0)
        return found

    async def thin(
        self, kind: Kind, terms: Iterable[str], levels: Mapping[str, int], now_ms: int
    ) -> None:
        """Drop who is out of the window, and sample the terms whose sets have grown too large."""
        for key in terms:
            name, level = _users(kind, key), levels.get(key, 0)
            await self._redis.zremrangebyscore(name, "-inf", now_ms - WINDOW_MS)
            raw = await self._redis.zrange(name, 0, -1)
            members = [int.from_bytes(member, "big") for member in raw if isinstance(member, bytes)]
            kept = [user for user in members if is_sampled(user, level)]
            while len(kept) > self._max_members:
                level += 1
                kept = [user for user in kept if is_sampled(user, level)]
            if level != levels.get(key, 0):
                await self._redis.hset(_levels(kind), key, str(level))
            dropped = set(members) - set(kept)
            if dropped:
                await self._redis.zrem(name, *map(_member, dropped))

    async def forget(self, kind: Kind, terms: Collection[str]) -> None:
        """Count some terms no longer."""
        gone = list(terms)
        for start in range(0, len(gone), COMMANDS):
            part = gone[start : start + COMMANDS]
            commands = self._redis.pipeline(transaction=False)
            for key in part:
                commands.delete(_users(kind, key))
            commands.zrem(_terms(kind), *part)
            commands.hdel(_levels(kind), *part)
            commands.hdel(_forms(kind), *part)
            await commands.execute()

    async def publish(self, ranking: bytes) -> None:
        """Put a ranking where every replica reads it."""
        await self._redis.set(PUBLISHED, ranking)

    async def published(self) -> bytes | None:
        """The newest ranking; None where there is none."""
        ranking = await self._redis.get(PUBLISHED)
        return ranking if isinstance(ranking, bytes) else None

    async def hold_lease(self, holder: str, seconds: float) -> bool:
        """Whether this process is the one that ranks; two at once would only do it twice."""
        held = await self._redis.set(LEASE, holder, nx=True, px=int(seconds * 1000))
        if not held and await self._redis.get(LEASE) == holder.encode():
            held = await self._redis.pexpire(LEASE, int(seconds * 1000))
        return bool(held)


def _member(user_id: int) -> bytes:
    return user_id.to_bytes(8, "big")


def _users(kind: Kind, key: str) -> str:
    return f"trend:{kind.value}:{key}"


def _terms(kind: Kind) -> str:
    return f"trends:{kind.value}:terms"


def _levels(kind: Kind) -> str:
    return f"trends:{kind.value}:levels"


def _forms(kind: Kind) -> str:
    return f"trends:{kind.value}:forms"
