"""Whom a user may want to follow, found in PostgreSQL with bounded work, however many follow."""

from collections.abc import Sequence

from services.chassis.stores import Pool

from ..domain_suggestions import MAX_RANKED, MAX_VIA, Candidate
from .mutes import IN_FORCE

MAX_KNOWN = 10_000
"""Of each kind of users who are not to be suggested, those left out before others are counted."""
MAX_ASKED = 500
"""Of whom a user follows, the latest whose own follows are looked at."""
MAX_EACH = 250
"""How many follows of each of them: those of the oldest accounts, which the key alone answers."""
MAX_REACHED = 1_000
"""Candidates, those reached most often, whose rows are read."""
MAX_POPULAR = 400

RANK = f"""
WITH known AS MATERIALIZED (
  SELECT target_user_id AS user_id, follow_id FROM follows WHERE user_id = %(user_id)s
  ORDER BY follow_id DESC LIMIT {MAX_KNOWN}
), excluded AS MATERIALIZED (
  SELECT %(user_id)s::bigint AS user_id
  UNION ALL SELECT user_id FROM known
  UNION ALL (SELECT target_user_id FROM follow_requests WHERE user_id = %(user_id)s
    LIMIT {MAX_KNOWN})
  UNION ALL (SELECT target_user_id FROM blocks WHERE user_id = %(user_id)s LIMIT {MAX_KNOWN})
  UNION ALL (SELECT user_id FROM blocks WHERE target_user_id = %(user_id)s LIMIT {MAX_KNOWN})
  UNION ALL (SELECT target_user_id FROM mutes WHERE user_id = %(user_id)s AND {IN_FORCE}
    LIMIT {MAX_KNOWN})
  UNION ALL (SELECT target_user_id FROM suggestion_dismissals WHERE user_id = %(user_id)s
    LIMIT {MAX_KNOWN})
), reached AS MATERIALIZED (
  SELECT f.user_id, count(*) AS via_count
  FROM (SELECT user_id FROM known ORDER BY follow_id DESC LIMIT {MAX_ASKED}) asked
  CROSS JOIN LATERAL (
    SELECT target_user_id AS user_id FROM follows WHERE follows.user_id = asked.user_id
    ORDER BY target_user_id LIMIT {MAX_EACH}) f
  -- NOT IN hashes its few ids once; for a join the planner would have to guess how many they are.
  WHERE f.user_id NOT IN (SELECT user_id FROM excluded)
  GROUP BY f.user_id
  ORDER BY via_count DESC, f.user_id DESC LIMIT {MAX_REACHED}
), popular AS MATERIALIZED (
  SELECT user_id FROM users WHERE popularity > 0
  ORDER BY popularity DESC, user_id DESC LIMIT {MAX_POPULAR}
), candidates AS (
  SELECT user_id, via_count FROM reached
  UNION ALL
  SELECT user_id, 0 FROM popular
  WHERE user_id NOT IN (SELECT user_id FROM excluded)
    AND user_id NOT IN (SELECT user_id FROM reached)
)
SELECT c.user_id FROM candidates c JOIN users u USING (user_id)
ORDER BY c.via_count / log(10 + u.followers_count::float8) DESC, u.followers_count DESC,
  c.user_id DESC
LIMIT {MAX_RANKED}
"""  # noqa: S608 - names from this code
EXPLAIN = f"""
WITH asked AS MATERIALIZED (
  SELECT target_user_id AS user_id, follow_id FROM follows WHERE user_id = %(user_id)s
  ORDER BY follow_id DESC LIMIT {MAX_ASKED}
)
SELECT c.user_id, u.followers_count, via.count, via.ids
FROM unnest(%(candidate_ids)s::bigint[]) AS c(user_id)
JOIN users u USING (user_id)
CROSS JOIN LATERAL (
  SELECT count(*), coalesce((array_agg(asked.user_id ORDER BY follow_id DESC))[:{MAX_VIA}], '{{}}')
    AS ids
  FROM asked
  CROSS JOIN LATERAL (
    -- One key at a time, whichever of the two has the longer list.
    SELECT FROM follows t WHERE t.user_id = asked.user_id AND t.target_user_id = c.user_id
    LIMIT 1) hit
) via
WHERE (via.count > 0 OR u.followers_count > 0)
  AND c.user_id <> %(user_id)s
  AND NOT EXISTS (SELECT FROM follows t
    WHERE t.user_id = %(user_id)s AND t.target_user_id = c.user_id)
  AND NOT EXISTS (SELECT FROM follow_requests t
    WHERE t.user_id = %(user_id)s AND t.target_user_id = c.user_id)
  AND NOT EXISTS (SELECT FROM blocks t
    WHERE t.user_id = %(user_id)s AND t.target_user_id = c.user_id)
  AND NOT EXISTS (SELECT FROM blocks t
    WHERE t.user_id = c.user_id AND t.target_user_id = %(user_id)s)
  AND NOT EXISTS (SELECT FROM mutes t
    WHERE t.user_id = %(user_id)s AND t.target_user_id = c.user_id AND {IN_FORCE})
  AND NOT EXISTS (SELECT FROM suggestion_dismissals t
    WHERE t.user_id = %(user_id)s AND t.target_user_id = c.user_id)
"""  # noqa: S608 - names from this code


class PostgresSuggestions:
    """Two hops over `follows`, and the table `suggestion_dismissals`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def rank(self, user_id: int) -> list[int]:
        """Candidates for a user, best first; `explain` says who of them may be suggested.

        First whom the user's followees follow, by how many of them, divided by the logarithm of how
        many follow in all; then popular accounts.
        """
        async with self._pool.connection() as connection:
            rows = await connection.execute(RANK.encode(), {"user_id": user_id})
            return [row[0] for row in await rows.fetchall()]

    async def explain(self, user_id: int, candidate_ids: Sequence[int]) -> list[Candidate]:
        """Those who may be suggested, in the order given, with what speaks for each."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                EXPLAIN.encode(), {"user_id": user_id, "candidate_ids": list(candidate_ids)}
            )
            found = {row[0]: Candidate(*row) for row in await rows.fetchall()}
            return [found[one] for one in candidate_ids if one in found]

    async def dismiss(self, user_id: int, target_user_id: int) -> None:
        """Suggest a user to another one no more; of a user who does not exist nothing is kept."""
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                INSERT INTO suggestion_dismissals (user_id, target_user_id)
                SELECT %s, user_id FROM users WHERE user_id = %s
                ON CONFLICT DO NOTHING
                """,
                (user_id, target_user_id),
            )
