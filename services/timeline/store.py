"""Lists of entries in Redis: windows of many at once, and the steps by which one is built.

Two kinds, alike but for their key: a user's home list, and the ring of an author whom followers
pull. A list may be dropped at any moment: whoever reads next builds it again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NewType, Protocol, cast

from redis.asyncio.client import Pipeline as Transaction
from redis.exceptions import WatchError

from services.chassis.redis_pipeline import Pipeline, packed
from services.chassis.short_cache import ShortCache
from services.chassis.snowflake import wall_clock_ms
from services.chassis.stores import Redis

from .domain import is_building, settled

Kind = NewType("Kind", str)
HOME, RING = Kind("home"), Kind("author")
REFRESH_SECONDS = 30
"""A process renews a list's life at most this often; half of the shortest life a policy may set."""
MAX_REFRESHED = 400_000
ABANDONED_SECONDS = 60
"""A list whose builder has gone disappears."""
CONTESTED_TRIES = 50
WHOLE = -1


class ListPolicy(Protocol):
    """What of the fan-out policy concerns lists and rings."""

    @property
    def list_length(self) -> int:
        """Entries of a list."""

    @property
    def active_seconds(self) -> int:
        """How long a list lives after it was last read."""

    @property
    def pulled(self) -> frozenset[int]:
        """Authors whose rings are merged; the same object until it changes."""


class PolicySource(Protocol):
    """The policy in force; it may be another one at the next look."""

    @property
    def current(self) -> ListPolicy:
        """The policy."""


def key_of(owner_id: int, kind: Kind = HOME) -> str:
    """The Redis key of a list; the braces keep it in its owner's cluster slot."""
    return f"{kind}:{{{owner_id}}}"


class Lists:
    """The lists of one kind. Every method raises redis' errors."""

    def __init__(
        self,
        client: Redis,
        pipeline: Pipeline,
        policy: PolicySource,
        kind: Kind = HOME,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._client = client
        self._pipeline = pipeline
        self._policy = policy
        self._kind = kind
        self._clock_ms = clock_ms
        self._refreshed: ShortCache[int, bool] = ShortCache(REFRESH_SECONDS, MAX_REFRESHED)

    @property
    def length(self) -> int:
        """Entries that a list is cut to."""
        return self._policy.current.list_length

    async def windows(self, wanted: Sequence[tuple[int, int]]) -> Sequence[list[bytes]]:
        """The leftmost entries of each of these (owner, count); empty where there is no list."""
        commands = [self._lrange(owner_id, count) for owner_id, count in wanted]
        owners = [owner_id for owner_id, _ in wanted]
        fresh = self._refreshed.get_many(owners)
        stale = {owner for owner, known in zip(owners, fresh, strict=True) if not known}
        if stale:
            moment = b"%d" % self._expiry()
            commands.extend(packed(b"EXPIREAT", self._key(owner), moment) for owner in stale)
        replies = await self._pipeline.execute(b"".join(commands), len(commands))
        self._refreshed.put_many(dict.fromkeys(stale, True))
        return replies[: len(wanted)]

    async def whole(self, owner_id: int) -> list[bytes]:
        """All entries of one list."""
        return (await self.windows([(owner_id, WHOLE)]))[0]

    async def existing(self, owner_ids: Sequence[int]) -> list[int]:
        """Those of these owners who have a list; unlike reading it this does not keep it alive."""
        commands = [packed(b"EXISTS", self._key(owner_id)) for owner_id in owner_ids]
        found = await self._pipeline.execute(b"".join(commands), len(commands))
        return [owner_id for owner_id, there in zip(owner_ids, found, strict=True) if there]

    async def drop(self, owner_ids: Iterable[int]) -> None:
        """Forget these lists."""
        commands = [packed(b"UNLINK", self._key(owner_id)) for owner_id in owner_ids]
        await self._pipeline.execute(b"".join(commands), len(commands))

    async def begin(self, owner_id: int, marker: bytes, abandoned: bytes | None) -> bool:
        """Make a list of nothing but the builder's marker, from when on deliveries land.

        Only where there is no list, or one that ends with the marker of an `abandoned` build.
        """
        key = key_of(owner_id, self._kind)
        async with self._client.pipeline(transaction=True) as transaction:
            await transaction.watch(key)
            last = await transaction.lindex(key, -1)
            if last is not None and last != abandoned:
                return False
            soon = wall_clock_ms() // 1000 + ABANDONED_SECONDS
            return await _replace(transaction, key, [marker], soon)

    async def finish(self, owner_id: int, marker: bytes, entries: Sequence[bytes]) -> bool:
        """Put the older part in the marker's place; False when the marker has gone meanwhile."""

        def complete(delivered: list[bytes]) -> list[bytes] | None:
            if delivered[-1] != marker:
                return None
            return [*delivered[:-1], *entries][: self.length]

        return await self._change(owner_id, complete, CONTESTED_TRIES, renew=True)

    async def settle(self, owner_id: int) -> None:
        """Sort a list in place, so that a window of it proves its order again."""
        await self.rewrite(owner_id, lambda entries: settled(entries, self.length), tries=1)

    async def rewrite(
        self,
        owner_id: int,
        change: Callable[[list[bytes]], list[bytes]],
        *,
        tries: int = CONTESTED_TRIES,
    ) -> bool:
        """Put in a list's place what `change` makes of it; an empty one is dropped.

        It lives no longer for that: only reading keeps a list alive.

        False when there is no list, when it is being built (its builder knows nothing of the
        change), or when others wrote to it at each of the tries.
        """
        return await self._change(
            owner_id,
            lambda entries: None if is_building(entries[-1]) else change(entries),
            tries,
            renew=False,
        )

    async def _change(
        self,
        owner_id: int,
        change: Callable[[list[bytes]], list[bytes] | None],
        tries: int,
        *,
        renew: bool,
    ) -> bool:
        key, expiry = key_of(owner_id, self._kind), self._expiry() if renew else None
        for _ in range(tries):
            async with self._client.pipeline(transaction=True) as transaction:
                await transaction.watch(key)
                entries = cast("list[bytes]", await transaction.lrange(key, 0, -1))
                changed = change(entries) if entries else None
                if changed is None:
                    return False
                if await _replace(transaction, key, changed, expiry):
                    return True
        return False

    def _key(self, owner_id: int) -> bytes:
        return key_of(owner_id, self._kind).encode()

    def _lrange(self, owner_id: int, count: int) -> bytes:
        last = b"-1" if count == WHOLE else b"%d" % (count - 1)
        return packed(b"LRANGE", self._key(owner_id), b"0", last)

    def _expiry(self) -> int:
        """When a list that is read now is given up, in seconds since the epoch."""
        return self._clock_ms() // 1000 + self._policy.current.active_seconds


def push_head(owner_id: int, kind: Kind = HOME) -> bytes:
    """Packed LPUSHX on a list, up to the entry."""
    key = key_of(owner_id, kind).encode()
    return b"*3\r\n$6\r\nLPUSHX\r\n$%d\r\n%b\r\n" % (len(key), key)


def push_tail(entry: bytes) -> bytes:
    """The rest of a packed LPUSHX: the entry, which is the same for all followers."""
    return b"$17\r\n%b\r\n" % entry


def trim(owner_id: int, length: int, kind: Kind = HOME) -> bytes:
    """Packed LTRIM of a list to a length."""
    return packed(b"LTRIM", key_of(owner_id, kind).encode(), b"0", b"%d" % (length - 1))


async def _replace(
    transaction: Transaction, key: str, entries: Sequence[bytes], expiry: int | None
) -> bool:
    """Make the watched list this one, until `expiry` or (None) for as long as it was to live.

    False when somebody touched it meanwhile.
    """
    transaction.multi()  # type: ignore[no-untyped-call]
    if entries:
        transaction.rpush(key, *entries)
        transaction.ltrim(key, -len(entries), -1)
    else:
        transaction.delete(key)
    if entries and expiry is not None:
        transaction.expireat(key, expiry)
    try:
        await transaction.execute()
    except WatchError:
        return False
    return True
