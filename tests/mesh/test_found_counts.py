"""Counts on found pages, which are kept for as long as the log is followed."""

import asyncio

from services.search.found_tweets import STEADY_SECONDS

from .eventually import eventually
from .test_search import search, until_found
from .world import World


async def test_counts_on_found_pages_follow_the_log(world: World) -> None:
    """What a page shows is kept for long, and read again once somebody favourites it."""
    user, fan = await world.new_users(2)
    term = "zqcounted"
    tweet = int((await world.post(user, f"{term} is liked"))["tweet_id"])
    await until_found(world, term, [tweet])

    async def counts() -> list[str]:
        page = await search(world, term)
        return [each["favorite_count"] for each in page["tweets"]]

    await asyncio.sleep(STEADY_SECONDS)
    assert await counts() == ["0"]
    await world.act(fan, "PUT", f"/api/v1/tweets/{tweet}/favorites/me")
    await eventually(counts, ["1"])
