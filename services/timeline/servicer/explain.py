"""ExplainTimeline."""

from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError

from ..explain import Explainer
from ..relations import RelationsCache


class ExplainMethods:
    """Why a tweet is in a timeline."""

    def __init__(self, explainer: Explainer, relations: RelationsCache) -> None:
        self._explainer = explainer
        self._viewers = relations

    async def explain_timeline(
        self, request: pb.ExplainTimelineRequest, call: Call
    ) -> pb.ExplainTimelineResponse:
        """The way of a tweet through the caller's home timeline."""
        user_id = call.own_user_id(request.user_id)
        if request.tweet_id <= 0:
            raise InvalidFieldError(field="tweet_id", problem="is required")
        return await self._explainer.explain(await self._viewers.get(user_id), request.tweet_id)
