"""What the visibility engine judges by, read from PostgreSQL: always the primary, never a cache."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from services.chassis.stores import Pool

from ..visibility import Relation, muted_on
from .mutes import IN_FORCE, surfaces_of


class Followees(NamedTuple):
    """Whom one viewer follows, and the viewer's exceptional relations.

    Ids are packed: 8 bytes each, big-endian, joined, ascending.
    """

    following_ids: bytes
    mutual_ids: bytes
    exceptional: Mapping[int, Relation]


class PostgresRelations:
    """Reads over `users`, `follows`, `blocks` and `mutes`, one statement each."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def between(self, pairs: Collection[tuple[int, int]]) -> dict[int, dict[int, Relation]]:
        """By viewer, the relations to those of the users who exist; pairs of viewer and user."""
        viewers, users = zip(*pairs, strict=True)
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                f"""
                SELECT p.viewer_id, u.user_id, u.protected, f.show_retweets,
                  b.block_id IS NOT NULL, c.block_id IS NOT NULL, m.surfaces, m.expire_time
                FROM unnest(%b::bigint[], %b::bigint[]) AS p(viewer_id, user_id)
                JOIN users u USING (user_id)
                LEFT JOIN follows f ON f.user_id = p.viewer_id AND f.target_user_id = u.user_id
                LEFT JOIN blocks b ON b.user_id = p.viewer_id AND b.target_user_id = u.user_id
                LEFT JOIN blocks c ON c.user_id = u.user_id AND c.target_user_id = p.viewer_id
                LEFT JOIN mutes m ON m.user_id = p.viewer_id AND m.target_user_id = u.user_id
                  AND {IN_FORCE}
                """,  # noqa: S608 - names from this code
                (list(viewers), list(users)),
                binary=True,
            )
            found: dict[int, dict[int, Relation]] = {}
            for viewer_id, user_id, *relation in await rows.fetchall():
                found.setdefault(viewer_id, {})[user_id] = _relation(*relation)
            return found

    async def followees(
        self, viewer_ids: Sequence[int], *, include_mutual: bool
    ) -> dict[int, Followees]:
        """Whom each of these viewers follows, with blocks, mutes and hidden retweets."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                f"""
                SELECT v.user_id, f.packed, {MUTUAL if include_mutual else "NULL::bytea"},
                  ARRAY(SELECT target_user_id FROM follows
                    WHERE user_id = v.user_id AND NOT show_retweets),
                  ARRAY(SELECT target_user_id FROM blocks WHERE user_id = v.user_id),
                  ARRAY(SELECT user_id FROM blocks WHERE target_user_id = v.user_id),
                  m.user_ids, m.surfaces, m.expire_times
                FROM unnest(%s::bigint[]) AS v(user_id)
                CROSS JOIN LATERAL (
                  SELECT string_agg(int8send(target_user_id), ''::bytea ORDER BY target_user_id)
                    AS packed
                  FROM follows WHERE user_id = v.user_id) f
                CROSS JOIN LATERAL (
                  SELECT array_agg(target_user_id) AS user_ids, array_agg(surfaces) AS surfaces,
                    array_agg(expire_time) AS expire_times
                  FROM mutes WHERE user_id = v.user_id AND {IN_FORCE}) m
                """,  # noqa: S608 - names from this code
                (list(viewer_ids),),
                binary=True,
            )
            return {row[0]: _followees(*row[1:]) for row in await rows.fetchall()}


MUTUAL = """
  (SELECT string_agg(int8send(f.target_user_id), ''::bytea ORDER BY f.target_user_id)
   FROM follows f
   JOIN follows g ON g.user_id = f.target_user_id AND g.target_user_id = f.user_id
   WHERE f.user_id = v.user_id)
"""


def _relation(
    protected: bool,
    show_retweets: bool | None,
    blocks: bool,
    blocked_by: bool,
    surfaces: int | None,
    expire_time: datetime | None,
) -> Relation:
    return Relation(
        protected=protected,
        follows=show_retweets is not None,
        shows_retweets=show_retweets is not False,
        blocks=blocks,
        blocked_by=blocked_by,
        muted_on=frozenset() if surfaces is None else muted_on(surfaces_of(surfaces)),
        mute_expire_time=expire_time,
    )


def _followees(
    following: bytes | None,
    mutual: bytes | None,
    without_retweets: Sequence[int],
    blocked: Sequence[int],
    blocking: Sequence[int],
    muted: Sequence[int] | None,
    surfaces: Sequence[int],
    expire_times: Sequence[datetime | None],
) -> Followees:
    known: defaultdict[int, Relation] = defaultdict(Relation)
    for user_id in without_retweets:
        known[user_id] = known[user_id]._replace(shows_retweets=False)
    for user_id in blocked:
        known[user_id] = known[user_id]._replace(blocks=True)
    for user_id in blocking:
        known[user_id] = known[user_id]._replace(blocked_by=True)
    if muted:
        for user_id, bits, ends in zip(muted, surfaces, expire_times, strict=True):
            where = muted_on(surfaces_of(bits))
            known[user_id] = known[user_id]._replace(muted_on=where, mute_expire_time=ends)
    return Followees(following or b"", mutual or b"", known)
