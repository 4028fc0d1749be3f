"""Muting."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from google.protobuf.timestamp_pb2 import Timestamp

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1 import visibility_pb2
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError
from services.chassis.paging import cut_page, decode_key, page_size_of

from ..domain_follows import check_not_self
from ..store.mutes import Mute, PostgresMutes
from ..store.user_cache import UserCache
from ..visibility import MUTABLE, Surface
from .messages import timestamp_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_SECOND = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())
"""No mute ends after this: later moments have no date in every time zone."""


class MuteMethods:
    """Mute, Unmute, ListMutes."""

    def __init__(
        self,
        mutes: PostgresMutes,
        cache: UserCache,
        next_id: Callable[[], int],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._mutes = mutes
        self._muted_users = cache
        self._next_mute_id = next_id
        self._wall = clock

    async def mute(self, request: pb.MuteRequest, call: Call) -> pb.MuteResponse:
        """Mute a user, or replace the mute that exists."""
        user_id = call.own_user_id(request.user_id)
        check_not_self(user_id, request.target_user_id)
        mute = await self._mutes.put(
            Mute(
                user_id=user_id,
                target_user_id=request.target_user_id,
                mute_id=self._next_mute_id(),
                surfaces=_check_surfaces(request.surfaces),
                expire_time=self._expire_time(request),
            )
        )
        return pb.MuteResponse(mute=(await self._messages_of([mute]))[0])

    async def unmute(self, request: pb.UnmuteRequest, call: Call) -> pb.UnmuteResponse:
        """Lift a mute."""
        user_id = call.own_user_id(request.user_id)
        await self._mutes.end(user_id, request.target_user_id)
        return pb.UnmuteResponse()

    async def list_mutes(self, request: pb.ListMutesRequest, call: Call) -> pb.ListMutesResponse:
        """A page of the caller's mutes that are in force."""
        user_id = call.own_user_id(request.user_id)
        size = page_size_of(request.page_size)
        before = decode_key(request.page_token, "mutes", user_id)
        found = await self._mutes.list_of(user_id, before, size + 1)
        mutes, token = cut_page(found, size, attrgetter("mute_id"), "mutes", user_id)
        return pb.ListMutesResponse(mutes=await self._messages_of(mutes), next_page_token=token)

    def _expire_time(self, request: pb.MuteRequest) -> datetime | None:
        if not request.HasField("expire_time"):
            return None
        seconds, nanos = request.expire_time.seconds, request.expire_time.nanos
        if seconds + nanos / 1e9 <= self._wall():
            raise InvalidFieldError(field="expire_time", problem="is not in the future")
        if seconds >= LAST_SECOND or not 0 <= nanos < 1_000_000_000:
            raise InvalidFieldError(field="expire_time", problem="is not a moment before year 9999")
        return EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)

    async def _messages_of(self, mutes: Sequence[Mute]) -> list[visibility_pb2.Mute]:
        raw = await self._muted_users.join([mute.target_user_id for mute in mutes])
        users = {user.user_id: user for user in pb.BatchGetUsersResponse.FromString(raw).users}
        messages = []
        for mute in mutes:
            message = visibility_pb2.Mute(
                user=users.get(mute.target_user_id),
                surfaces=[visibility_pb2.Surface.Name(s) for s in sorted(mute.surfaces)],
                create_time=timestamp_of(mute.mute_id),
            )
            if mute.expire_time:
                message.expire_time.CopyFrom(timestamp_at(mute.expire_time))
            messages.append(message)
        return messages


def timestamp_at(moment: datetime) -> Timestamp:
    """A moment as it travels, exact to the microsecond."""
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def _check_surfaces(given: Sequence[int]) -> frozenset[Surface]:
    for number in given:
        if number not in MUTABLE:
            known = number in visibility_pb2.Surface.values()
            name = visibility_pb2.Surface.Name(number) if known else str(number)
            raise InvalidFieldError(
                field="surfaces", problem=f"holds {name}, where mutes do not act"
            )
    return frozenset(Surface(number) for number in given)
