"""Packed ids for fan-out and rebuilding."""

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError

from ..domain import MAX_ID
from ..domain_follows import ID_BYTES, MAX_FOLLOWER_QUERIES, MAX_PACKED_IDS, page_of_ids
from ..store.follow_ids import FollowerIds, PostgresFollowIds
from ..store.follower_cache import FollowerCache
from ..store.users import PostgresUsers

MAX_REPLY_IDS = 1_000_000
"""Ids in one reply, over all its users: 8 MB, well below the largest message."""
NOBODY = FollowerIds(0, b"")


class FollowIdMethods:
    """BatchGetFollowerIds, ListFollowingIds."""

    def __init__(
        self, follow_ids: PostgresFollowIds, cache: FollowerCache, users: PostgresUsers
    ) -> None:
        self._follow_ids = follow_ids
        self._follower_cache = cache
        self._counted_users = users

    async def batch_get_follower_ids(
        self, request: pb.BatchGetFollowerIdsRequest, _call: Call
    ) -> pb.BatchGetFollowerIdsResponse:
        """The followers of many users."""
        count = len(request.queries)
        if not 1 <= count <= MAX_FOLLOWER_QUERIES:
            problem = f"holds {count} users; 1 to {MAX_FOLLOWER_QUERIES} are allowed"
            raise InvalidFieldError(field="queries", problem=problem)
        limit = min(_limit_of(request.limit), MAX_REPLY_IDS // count)
        most = request.maximum_followers_count or MAX_ID
        found = await self._follower_cache.get_many({query.user_id for query in request.queries})
        reply = pb.BatchGetFollowerIdsResponse()
        for query in request.queries:
            followers = found.get(query.user_id, NOBODY)
            result = reply.results.add(
                user_id=query.user_id, followers_count=followers.followers_count
            )
            if followers.followers_count <= most:
                result.follower_ids, result.next_after_user_id = await self._page(
                    query, followers, limit
                )
        return reply

    async def list_following_ids(
        self, request: pb.ListFollowingIdsRequest, _call: Call
    ) -> pb.ListFollowingIdsResponse:
        """Whom a user follows."""
        limit = _limit_of(request.limit)
        user = await self._counted_users.get(request.user_id)
        packed = await self._follow_ids.following_page(
            request.user_id, request.after_user_id, limit + 1, request.minimum_followers_count
        )
        page, after = page_of_ids(packed, request.after_user_id, limit)
        return pb.ListFollowingIdsResponse(
            following_ids=page,
            following_count=user.following_count if user else 0,
            next_after_user_id=after,
        )

    async def _page(
        self, query: pb.FollowerIdsQuery, followers: FollowerIds, limit: int
    ) -> tuple[bytes, int]:
        packed = followers.packed
        if packed is None:
            packed = await self._follow_ids.followers_page(
                query.user_id, query.after_user_id, limit + 1
            )
        if not query.after_user_id and len(packed) <= limit * ID_BYTES:
            return packed, 0
        return page_of_ids(packed, query.after_user_id, limit)


def _limit_of(requested: int) -> int:
    if requested < 0:
        raise InvalidFieldError(field="limit", problem=f"is {requested}; it must be 0 or more")
    return min(requested or MAX_PACKED_IDS, MAX_PACKED_IDS)
