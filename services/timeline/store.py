"""Home lists in Redis: windows of many at once, and the steps by which one is built.

A list may be dropped at any moment: whoever reads next builds it again.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from redis.asyncio.client import Pipeline as Transaction
from redis.exceptions import WatchError

from services.chassis.stores import Redis

from .cache import ShortCache
from .domain import LIST_LENGTH, is_building, settled
from .pipeline import Pipeline

KEEP_SECONDS = 30 * 24 * 3600
"""A list lives this long after its user's last read."""
REFRESH_SECONDS = 3600
"""A process renews that life for one user at most this often."""
MAX_REFRESHED = 400_000
ABANDONED_SECONDS = 60
"""A list whose builder has gone disappears."""
CONTESTED_TRIES = 50
WHOLE = -1


def key_of(user_id: int) -> str:
    """The Redis key of a user's home list; the braces keep it in the user's cluster slot."""
    return f"home:{{{user_id}}}"


class HomeLists:
    """The lists. Every method raises redis' errors."""

    def __init__(self, client: Redis, pipeline: Pipeline) -> None:
        self._client = client
        self._pipeline = pipeline
        self._refreshed: ShortCache[int, bool] = ShortCache(REFRESH_SECONDS, MAX_REFRESHED)

    async def windows(self, wanted: Sequence[tuple[int, int]]) -> Sequence[list[bytes]]:
        """The leftmost entries of each of these (user, count); empty where there is no list."""
        commands = [_lrange(user_id, count) for user_id, count in wanted]
        users = [user_id for user_id, _ in wanted]
        fresh = self._refreshed.get_many(users)
        stale = {user for user, known in zip(users, fresh, strict=True) if not known}
        commands.extend(_expire(user_id) for user_id in stale)
        replies = await self._pipeline.execute(b"".join(commands), len(commands))
        self._refreshed.put_many(dict.fromkeys(stale, True))
        return replies[: len(wanted)]

    async def whole(self, user_id: int) -> list[bytes]:
        """All entries of one list."""
        return (await self.windows([(user_id, WHOLE)]))[0]

    async def drop(self, user_ids: Iterable[int]) -> None:
        """Forget these lists."""
        commands = [_pack(b"UNLINK", key_of(user_id).encode()) for user_id in user_ids]
        await self._pipeline.execute(b"".join(commands), len(commands))

    async def begin(self, user_id: int, marker: bytes, abandoned: bytes | None) -> bool:
        """Make a list of nothing but the builder's marker, from when on deliveries land.

        Only where there is no list, or one that ends with the marker of an `abandoned` build.
        """
        key = key_of(user_id)
        async with self._client.pipeline() as transaction:
            await transaction.watch(key)
            last = await transaction.lindex(key, -1)
            if last is not None and last != abandoned:
                return False
            return await _replace(transaction, key, [marker], ABANDONED_SECONDS)

    async def finish(self, user_id: int, marker: bytes, entries: Sequence[bytes]) -> bool:
        """Put the older part in the marker's place; False when the marker has gone meanwhile."""
        key = key_of(user_id)
        for _ in range(CONTESTED_TRIES):
            async with self._client.pipeline() as transaction:
                await transaction.watch(key)
                delivered = await transaction.lrange(key, 0, -1)
                if delivered[-1:] != [marker]:
                    return False
                complete = [*delivered[:-1], *entries][:LIST_LENGTH]
                if await _replace(transaction, key, complete, KEEP_SECONDS):
                    return True
        return False

    async def settle(self, user_id: int) -> None:
        """Sort a list in place, so that a window of it proves its order again."""
        key = key_of(user_id)
        async with self._client.pipeline() as transaction:
            await transaction.watch(key)
            entries = cast("list[bytes]", await transaction.lrange(key, 0, -1))
            if entries and not is_building(entries[-1]):
                await _replace(transaction, key, settled(entries), KEEP_SECONDS)


def push_head(user_id: int) -> bytes:
    """Packed LPUSHX on a home list, up to the entry."""
    key = key_of(user_id).encode()
    return b"*3\r\n$6\r\nLPUSHX\r\n$%d\r\n%b\r\n" % (len(key), key)


def push_tail(entry: bytes) -> bytes:
    """The rest of a packed LPUSHX: the entry, which is the same for all followers."""
    return b"$17\r\n%b\r\n" % entry


def trim(user_id: int) -> bytes:
    """Packed LTRIM of a home list to its length."""
    return _pack(b"LTRIM", key_of(user_id).encode(), b"0", b"%d" % (LIST_LENGTH - 1))


async def _replace(
    transaction: Transaction, key: str, entries: Sequence[bytes | str], seconds: int
) -> bool:
    """Make the watched list this one; False when somebody touched it meanwhile."""
    transaction.multi()  # type: ignore[no-untyped-call]
    transaction.delete(key)
    if entries:
        transaction.rpush(key, *entries)
        transaction.expire(key, seconds)
    try:
        await transaction.execute()
    except WatchError:
        return False
    return True


def _lrange(user_id: int, count: int) -> bytes:
    last = b"-1" if count == WHOLE else b"%d" % (count - 1)
    return _pack(b"LRANGE", key_of(user_id).encode(), b"0", last)


def _expire(user_id: int) -> bytes:
    return _pack(b"EXPIRE", key_of(user_id).encode(), b"%d" % KEEP_SECONDS)


def _pack(*arguments: bytes) -> bytes:
    packed = b"".join([b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments])
    return b"*%d\r\n%b" % (len(arguments), packed)
