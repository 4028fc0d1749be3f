"""What of a home timeline's retweets its viewer is shown, and to whom an original is closed."""

import pytest

from .rig import Rig
from .world import World

VIEWER, A, ORIGINAL = 10, 20, 40


@pytest.mark.parametrize(
    ("protected", "followed", "hidden", "no_retweets", "shown"),
    [
        (False, False, False, False, True),
        (True, False, False, False, False),
        (True, True, False, False, True),
        (False, False, True, False, False),
        (False, False, False, True, False),
    ],
)
async def test_a_followees_retweet(
    rig: Rig,
    world: World,
    *,
    protected: bool,
    followed: bool,
    hidden: bool,
    no_retweets: bool,
    shown: bool,
) -> None:
    world.follow(VIEWER, A)
    world.user(ORIGINAL)
    original = world.post(ORIGINAL)
    own = world.post(A)
    retweet = world.post(A, retweeted_status=original)
    if protected:
        world.protected.add(ORIGINAL)
    if followed:
        world.follow(VIEWER, ORIGINAL)
    if hidden:
        world.hidden.add((VIEWER, ORIGINAL))
    if no_retweets:
        world.no_retweets.add((VIEWER, A))
    found = await rig.walk(VIEWER)
    assert found == world.truth(VIEWER)
    assert (retweet.tweet_id in found) is shown
    assert own.tweet_id in found
