"""Why a tweet is in a home timeline, or why it is not: each step's answer, in the steps' order."""

from collections.abc import Callable, Sequence
from typing import Protocol

from aviary.graph.v1 import visibility_pb2
from aviary.timeline.v1 import timeline_pb2
from aviary.timeline.v1 import timeline_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.snowflake import unix_ms_of, wall_clock_ms

from . import domain
from .domain import Span
from .hydrate import Hydrator, tweet_of
from .policy.domain import Policy
from .relations import Relations
from .skeleton import Skeleton
from .top import TopTimelines

CLOSED = frozenset({"BLOCKED_BY_AUTHOR", "AUTHOR_PROTECTED", "AUTHOR_GONE"})
"""Rules of which the viewer is not told: such a tweet is explained as one that does not exist."""
RULE_STEPS = {
    "AUTHOR_BLOCKED": ("visibility", "you blocked the author"),
    "AUTHOR_MUTED": ("visibility", "you muted the author"),
    "REPLY_TO_STRANGER": (
        "replies",
        "it answers somebody whom you do not follow; include_replies=all shows it",
    ),
    "RETWEETS_HIDDEN": ("retweets", "you hide this followee's retweets"),
}
"""By rule of the visibility engine: the step that it fails, and why, for the viewer."""


class VerdictSource(Protocol):
    """What this needs of the Graph service; `clients.graph.GraphClient` is one."""

    async def check_visibility(
        self,
        viewer_user_id: int,
        surface: int,
        subjects: Sequence[visibility_pb2.VisibilitySubject],
    ) -> Sequence[visibility_pb2.VisibilityVerdict]:
        """A verdict for each subject."""


class Registry(Protocol):
    """The fan-out policy in force."""

    @property
    def current(self) -> Policy:
        """The policy."""


class Explainer:
    """Explains one tweet at a time; every answer is asked for anew, none is kept."""

    def __init__(
        self,
        skeleton: Skeleton,
        hydrator: Hydrator,
        graph: VerdictSource,
        top: TopTimelines,
        policies: Registry,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._skeleton = skeleton
        self._hydrator = hydrator
        self._graph = graph
        self._top = top
        self._policies = policies
        self._clock_ms = clock_ms

    async def explain(self, viewer: Relations, tweet_id: int) -> pb.ExplainTimelineResponse:
        """The way of a tweet through a viewer's timeline, up to the step that dropped it."""
        answer = pb.ExplainTimelineResponse(tweet_id=tweet_id)
        (content,) = await self._hydrator.tweets([tweet_id])
        tweet = tweet_of(content) if content and content.frame else None
        rule = await self._rule(viewer, tweet) if tweet else ""
        if content is None or tweet is None or rule in CLOSED:
            return _ended(answer, "exists", "there is no such tweet, or it was deleted")
        _passed(answer, "exists", f"made {self._age(tweet_id)} ago")
        own, followed = tweet.user_id == viewer.user_id, viewer.follows(tweet.user_id)
        if not own and not followed:
            return _ended(answer, "follows", "you do not follow the author")
        _passed(answer, "follows", "it is your own" if own else "you follow the author")
        failing, why = RULE_STEPS.get(rule, ("", ""))
        for step in ("visibility", "replies", "retweets"):
            if step == failing:
                return _ended(answer, step, why)
            _passed(answer, step, "nothing hides it")
        pulled = not self._policies.current.pushes(tweet.user_id)
        answer.delivery_mode = (
            timeline_pb2.DELIVERY_MODE_PULL if pulled else timeline_pb2.DELIVERY_MODE_PUSH
        )
        if not await self._delivered(viewer, tweet_id):
            late = f"it was made {self._age(tweet_id)} ago and has not been delivered yet"
            return _ended(answer, "delivery", late)
        how = "merged in from the author's ring" if pulled else "written into your list"
        _passed(answer, "delivery", how)
        answer.present = True
        answer.summary = "it is in your home timeline"
        score = await self._top.score(viewer, (tweet_id, tweet.user_id, content))
        answer.score.CopyFrom(timeline_pb2.Score(**score._asdict()))
        return answer

    async def _rule(self, viewer: Relations, tweet: Tweet) -> str:
        """The engine's rule that hides a tweet at home, by its name; empty if none does."""
        original = tweet.retweeted_status.user_id
        subject = visibility_pb2.VisibilitySubject(
            author_user_id=original or tweet.user_id,
            retweeter_user_id=tweet.user_id if original else 0,
            in_reply_to_user_id=tweet.in_reply_to_user_id,
        )
        surface = visibility_pb2.SURFACE_HOME_TIMELINE
        (verdict,) = await self._graph.check_visibility(viewer.user_id, surface, [subject])
        name = visibility_pb2.VisibilityRule.Name(verdict.rule)
        return "" if verdict.visible else name.removeprefix("VISIBILITY_RULE_")

    async def _delivered(self, viewer: Relations, tweet_id: int) -> bool:
        """Whether a page that begins with the tweet would find it."""
        only = Span(before=tweet_id + 1, after=tweet_id - 1, limit=1)
        found = await self._skeleton.read(viewer, only, domain.LIST_LENGTH)
        return bool(found.entries)

    def _age(self, tweet_id: int) -> str:
        return f"{max(0, self._clock_ms() - unix_ms_of(tweet_id)) / 1000:.1f} s"


def _passed(answer: pb.ExplainTimelineResponse, step: str, detail: str) -> None:
    answer.steps.add(name=step, passed=True, detail=detail)


def _ended(answer: pb.ExplainTimelineResponse, step: str, why: str) -> pb.ExplainTimelineResponse:
    answer.steps.add(name=step, passed=False, detail=why)
    answer.summary = f"it is not in your home timeline: {why}"
    return answer
