"""The seeds' requests, as printed in them, and what a user does on the first day."""

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Awaitable, Callable

import pytest

from .world import World

TWITTER_TIME = r"^[A-Z][a-z]{2} [A-Z][a-z]{2} \d{2} \d{2}:\d{2}:\d{2} \+0000 \d{4}$"


async def curl(*arguments: str) -> tuple[int, dict[str, object]]:
    """What plain curl prints."""
    command = ["curl", "-s", "-w", "\n%{http_code}", *arguments]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    text, _, status = ran.stdout.decode().rpartition("\n")
    return int(status), json.loads(text)


async def test_post_by_plain_curl(world: World) -> None:
    """S000-50, S000-51: form content type, token and a bare string of media ids in the body."""
    (me,) = await world.new_users(1)
    body = (
        f'{{ "user_id": "{me}", "auth_token": "{world.token(me)}",'
        ' "status": "hello world!", "media_ids": "" }'
    )
    status, tweet = await curl("-X", "POST", "--data", body, f"{world.mesh.edge_url}/api/v1/tweet")
    assert status == 200
    assert tweet["status"] == "hello world!"
    assert tweet["user_id"] == str(me)
    assert re.fullmatch(TWITTER_TIME, str(tweet["created_at"]))
    assert re.fullmatch(r"\d+", str(tweet["tweet_id"]))
    status, same = await curl(str(tweet["url"]))
    assert status == 200
    assert {k: same[k] for k in ("tweet_id", "status", "created_at")} == {
        k: tweet[k] for k in ("tweet_id", "status", "created_at")
    }


async def test_public_tweets_may_be_cached(world: World) -> None:
    """S001-40: what anybody may see, for a second; what a caller sees is for the caller."""
    me, other = await world.new_users(2)
    path = f"/api/v1/tweets/{(await world.post(me, 'cache me'))['tweet_id']}"
    first = await world.api.get(path)
    assert first.headers["cache-control"] == "public, max-age=1"
    assert first.headers["surrogate-key"].startswith("tweet-")
    assert (await world.api.get(path)).headers["etag"] == first.headers["etag"]
    own = await world.api.get(path, headers=world.auth(other))
    assert own.headers["cache-control"] == "private, no-cache"
    await world.act(other, "PUT", f"{path}/favorites/me")
    assert (await world.api.get(path)).headers["etag"] != first.headers["etag"]


async def test_unknown_media_is_refused_by_name(world: World) -> None:
    (me,) = await world.new_users(1)
    body = json.dumps(
        {"user_id": str(me), "auth_token": world.token(me), "status": "x", "media_ids": "ABC987"}
    )
    status, error = await curl("--data", body, f"{world.mesh.edge_url}/api/v1/tweet")
    assert status == 400
    assert "ABC987" in str(error["message"])


@pytest.mark.parametrize("path", ["home_timeline", "user_timeline"])
async def test_timelines_by_plain_curl(world: World, path: str) -> None:
    """S000-58, S000-61."""
    (me,) = await world.new_users(1)
    posted = await world.post(me, "foo")
    url = f"{world.mesh.edge_url}/api/v1/{path}?user_id={me}"
    until = time.monotonic() + 5
    tweets: list[dict[str, str]] = []
    while not tweets and time.monotonic() < until:
        status, page = await curl(url, "-H", f"Authorization: Bearer {world.token(me)}")
        assert status == 200
        tweets = page["tweets"]  # type: ignore[assignment]
    assert tweets[0]["tweet_id"] == posted["tweet_id"]
    assert (tweets[0]["user_id"], tweets[0]["status"]) == (str(me), "foo")


async def test_first_day(world: World) -> None:
    """Sign up, log in, follow, post, read, unfollow, log out: over REST alone."""
    api, password = world.api, "correct horse"
    ids, tokens, sessions = {}, {}, {}
    for name in ("ann_day1", "ben_day1"):
        made = await api.post("/api/v1/users", json={"user_name": name, "password": password})
        assert made.status_code == 200, made.text
        ids[name] = made.json()["user"]["user_id"]
        opened = await api.post("/api/v1/sessions", json={"user_name": name, "password": password})
        assert opened.status_code == 200, opened.text
        tokens[name] = {"authorization": f"Bearer {opened.json()['access_token']}"}
        sessions[name] = opened.json()
    ann, ben = ids["ann_day1"], ids["ben_day1"]
    follow = f"/api/v1/users/me/following/{ann}"
    assert (await api.put(follow, headers=tokens["ben_day1"])).status_code == 200
    assert (await api.put(follow, headers=tokens["ben_day1"])).status_code == 200
    counted = (await api.get(f"/api/v1/users/{ann}")).json()["user"]
    assert counted["followers_count"] == "1"
    posted = await api.post(
        "/api/v1/tweets", json={"status": "good day"}, headers=tokens["ann_day1"]
    )
    tweet_id = posted.json()["tweet_id"]
    assert posted.headers["location"].endswith(tweet_id)

    async def home() -> list[str]:
        page = await api.get("/api/v1/home_timeline?user_id=me", headers=tokens["ben_day1"])
        return [tweet["tweet_id"] for tweet in page.json()["tweets"]]

    await eventually(home, [tweet_id])
    assert (await api.delete(follow, headers=tokens["ben_day1"])).status_code == 200
    await eventually(home, [])
    refreshed = await api.post(
        "/api/v1/sessions:refresh", json={"refresh_token": sessions["ben_day1"]["refresh_token"]}
    )
    assert refreshed.status_code == 200
    closed = await api.delete(
        f"/api/v1/sessions/{refreshed.json()['session_id']}", headers=tokens["ben_day1"]
    )
    assert closed.status_code == 200
    again = await api.post(
        "/api/v1/sessions:refresh", json={"refresh_token": refreshed.json()["refresh_token"]}
    )
    assert again.status_code == 401
    assert ben


async def test_deleted_tweet_is_gone_within_five_seconds(world: World) -> None:
    me, reader = await world.new_users(2)
    await world.follow([(reader, me)])
    await world.home(reader)
    kept = await world.post(me, "kept")
    gone = await world.post(me, "gone")

    async def home() -> list[int]:
        return await world.home(reader)

    await eventually(home, [int(gone["tweet_id"]), int(kept["tweet_id"])])
    path = f"/api/v1/tweets/{gone['tweet_id']}"
    assert (await world.api.delete(path, headers=world.auth(reader))).status_code == 404
    assert (await world.api.delete(path, headers=world.auth(me))).status_code == 200
    await eventually(home, [int(kept["tweet_id"])])
    assert (await world.api.get(path)).status_code == 404


async def test_one_key_one_tweet(world: World) -> None:
    """100 parallel posts under one Idempotency-Key: one tweet, 100 equal answers."""
    (me,) = await world.new_users(1)
    headers = {**world.auth(me), "idempotency-key": "same"}

    async def post(text: str) -> tuple[int, str]:
        reply = await world.api.post("/api/v1/tweet", json={"status": text}, headers=headers)
        return reply.status_code, reply.text

    answers = set(await asyncio.gather(*(post("once") for _ in range(100))))
    assert len(answers) == 1
    ((status, _),) = answers
    assert status == 200
    rows = await world.sql("tweet", f"SELECT count(*) FROM tweets WHERE author_id = {me}")
    assert rows == [(1,)]
    other, text = await post("another body")
    assert other == 409
    assert "IDEMPOTENCY_MISMATCH" in text


async def test_a_timeline_does_not_end_at_the_cache(world: World) -> None:
    """900 tweets are more than the cached list holds."""
    author, reader = await world.new_users(2)
    await world.follow([(reader, author)])
    await world.home(reader)
    slots = asyncio.Semaphore(32)

    async def post(number: int) -> int:
        async with slots:
            return int((await world.post(author, f"number {number}"))["tweet_id"])

    posted = sorted(await asyncio.gather(*(post(number) for number in range(900))), reverse=True)

    async def home() -> list[int]:
        return await world.home(reader)

    await eventually(home, posted)
    assert await world.walk("/api/v1/user_timeline", author, 33) == posted
    query, headers = {"user_id": str(reader), "page_size": "1000"}, world.auth(reader)
    page = (await world.api.get("/api/v1/home_timeline", params=query, headers=headers)).json()
    assert len(page["tweets"]) == 100, "a larger page is cut to the largest"
    query = {"user_id": str(reader), "page_token": page["next_page_token"]}
    refused = await world.api.get("/api/v1/user_timeline", params=query, headers=headers)
    assert refused.status_code == 400
    assert refused.json()["details"][0]["reason"] == "PAGE_TOKEN_INVALID"


async def eventually(read: Callable[[], Awaitable[object]], expected: object) -> None:
    """What is read becomes what is expected within the promised five seconds."""
    until = time.monotonic() + 5
    while (seen := await read()) != expected:
        assert time.monotonic() < until, f"{seen} instead of {expected}"
        await asyncio.sleep(0.1)
