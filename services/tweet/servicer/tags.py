"""Photo tags, by those who are tagged."""

from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.call import Call

from ..untagging import Untagger


class TagMethods:
    """RemoveMediaTag."""

    def __init__(self, untagger: Untagger) -> None:
        self._untagger = untagger

    async def remove_media_tag(
        self, request: pb.RemoveMediaTagRequest, call: Call
    ) -> pb.RemoveMediaTagResponse:
        """Take the caller's tag off a tweet's photos."""
        await self._untagger.remove(request.tweet_id, call.own_user_id(request.user_id))
        return pb.RemoveMediaTagResponse()
