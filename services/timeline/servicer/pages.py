"""Pages of user and mention timelines: requests to them and back."""

from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.paging import page_size_of

from ..present import page
from ..user_timeline import UserTimelines, Wanted
from .spans import bounds_of


class PageMethods:
    """Pages of what one user wrote, or is named in."""

    def __init__(self, users: UserTimelines) -> None:
        self._users = users

    async def get_user_timeline(self, request: pb.GetUserTimelineRequest, call: Call) -> bytes:
        """A page of anybody's own tweets."""
        found = await self._users.page(
            call.caller.user_id,
            _wanted(request, call),
            replies=request.include_replies if request.HasField("include_replies") else True,
            retweets=request.include_retweets if request.HasField("include_retweets") else True,
            only_media=request.only_media,
        )
        return page(*found, call)

    async def get_mention_timeline(
        self, request: pb.GetMentionTimelineRequest, call: Call
    ) -> bytes:
        """A page of the tweets that mention somebody."""
        found = await self._users.mentions(call.caller.user_id, _wanted(request, call))
        return page(*found, call)


def _wanted(
    request: pb.GetUserTimelineRequest | pb.GetMentionTimelineRequest, call: Call
) -> Wanted:
    user_id, size = call.any_user_id(request.user_id), page_size_of(request.page_size)
    return Wanted(user_id, size, request.page_token, *bounds_of(request))
