"""What the Notify service asks: whom to tell of tweets, and how people are reached."""

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError

from ..store.follow_ids import PostgresFollowIds
from ..store.users import PostgresUsers

MAX_USERS = 1_000


class NotifiedMethods:
    """BatchGetNotifiedFollowerIds, BatchGetContacts."""

    def __init__(self, follow_ids: PostgresFollowIds, users: PostgresUsers) -> None:
        self._notified_ids = follow_ids
        self._contacts = users

    async def batch_get_notified_follower_ids(
        self, request: pb.BatchGetNotifiedFollowerIdsRequest, _call: Call
    ) -> pb.BatchGetNotifiedFollowerIdsResponse:
        """The followers of each author who asked to be told."""
        _check(len(request.user_ids))
        found = await self._notified_ids.notified(request.user_ids)
        reply = pb.BatchGetNotifiedFollowerIdsResponse()
        for user_id, packed in found.items():
            reply.results.add(user_id=user_id, follower_ids=packed)
        return reply

    async def batch_get_contacts(
        self, request: pb.BatchGetContactsRequest, _call: Call
    ) -> pb.BatchGetContactsResponse:
        """How users are reached."""
        _check(len(request.user_ids))
        reply = pb.BatchGetContactsResponse()
        for contact in await self._contacts.contacts(request.user_ids):
            reply.contacts.add(**contact._asdict())
        return reply


def _check(count: int) -> None:
    if count > MAX_USERS:
        problem = f"holds {count} ids; at most {MAX_USERS} are allowed"
        raise InvalidFieldError(field="user_ids", problem=problem)
