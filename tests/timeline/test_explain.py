"""ExplainTimeline: the reason, for a tweet that is there and for each way not to be."""

from typing import Any

import pytest

from aviary.timeline.v1 import timeline_pb2
from aviary.timeline.v1 import timeline_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.errors import InvalidFieldError, UnauthenticatedError
from services.chassis.snowflake import wall_clock_ms

from .rig import Rig, call_by
from .world import World

VIEWER, A, STRANGER = 10, 20, 40


async def explain(rig: Rig, tweet_id: int, viewer: int = VIEWER) -> pb.ExplainTimelineResponse:
    request = pb.ExplainTimelineRequest(tweet_id=tweet_id)
    return await rig.servicer.explain_timeline(request, call_by(viewer))


async def reason(rig: Rig, tweet: Tweet) -> tuple[str, str]:
    """The step that dropped it and what it said; the page must not have it either."""
    answer = await explain(rig, tweet.tweet_id)
    assert not answer.present
    assert not answer.HasField("score")
    assert all(step.passed for step in answer.steps[:-1])
    assert not answer.steps[-1].passed
    assert answer.steps[-1].detail in answer.summary
    assert tweet.tweet_id not in await rig.walk(VIEWER)
    return answer.steps[-1].name, answer.summary


async def test_a_tweet_that_is_there(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A)
    world.follow(A, VIEWER)
    tweet = world.post(A, at_ms=wall_clock_ms() - 6 * 3_600_000, favorite_count=1)
    answer = await explain(rig, tweet.tweet_id)
    assert answer.present
    assert [step.name for step in answer.steps] == [
        "exists", "follows", "visibility", "replies", "retweets", "delivery",
    ]  # fmt: skip
    assert answer.delivery_mode == timeline_pb2.DELIVERY_MODE_PUSH
    assert answer.score.closeness == 1.5
    assert answer.score.recency == pytest.approx(0.5, rel=0.01)
    assert answer.score.engagement == 2
    assert answer.score.total == pytest.approx(1.5, rel=0.01)
    rig.policy.pull(A)
    answer = await explain(rig, tweet.tweet_id)
    assert answer.delivery_mode == timeline_pb2.DELIVERY_MODE_PULL
    assert answer.present
    assert (await explain(rig, tweet.tweet_id, A)).present


async def test_each_reason(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A, 21, 22, 23)
    assert (await reason(rig, world.post(STRANGER)))[0] == "follows"
    world.hidden.add((VIEWER, 21))
    step, why = await reason(rig, world.post(21))
    assert step == "visibility"
    assert "muted" in why
    world.blocks.add((VIEWER, 22))
    world.hidden.add((VIEWER, 22))
    step, why = await reason(rig, world.post(22))
    assert step == "visibility"
    assert "blocked" in why
    answer = world.post(A, in_reply_to_tweet_id=5, in_reply_to_user_id=STRANGER)
    assert (await reason(rig, answer))[0] == "replies"
    world.no_retweets.add((VIEWER, 23))
    rig.relations.forget_all()
    again = world.post(23, retweeted_status=world.post(STRANGER))
    assert (await reason(rig, again))[0] == "retweets"


async def test_what_the_viewer_may_not_see_does_not_exist(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A)
    gone = world.post(A)
    del world.tweets[gone.tweet_id]
    world.protected.add(STRANGER)
    world.blocks.add((A, VIEWER))
    world.hidden.add((VIEWER, A))
    said = [await reason(rig, tweet) for tweet in (gone, world.post(STRANGER), world.post(A))]
    assert said[0][0] == "exists"
    assert len(set(said)) == 1


async def test_a_tweet_that_was_not_delivered_yet(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A)
    await rig.walk(VIEWER)
    tweet = world.post(A, at_ms=wall_clock_ms() - 3_000)
    step, why = await reason(rig, tweet)
    assert step == "delivery"
    assert "made 3." in why
    await rig.deliver(tweet)
    assert (await explain(rig, tweet.tweet_id)).present


@pytest.mark.parametrize(
    ("viewer", "tweet_id", "error"),
    [(VIEWER, 0, InvalidFieldError), (VIEWER, -1, InvalidFieldError), (0, 5, UnauthenticatedError)],
)
async def test_bad_requests(rig: Rig, viewer: int, tweet_id: int, error: Any) -> None:
    with pytest.raises(error):
        await explain(rig, tweet_id, viewer)
