"""Search through the whole mesh, over REST and gRPC."""

import itertools
from typing import Any

import httpx
import pytest

from clients.search import SearchClient

from .eventually import eventually
from .world import World

_words = itertools.count()


def word() -> str:
    """A word that no other test uses."""
    return f"zq{next(_words)}x"


async def search(world: World, query: str, user: int = 0, **params: str) -> dict[str, Any]:
    headers = world.auth(user) if user else {}
    reply = await world.api.get(
        "/api/v1/search", params={"query": query, **params}, headers=headers
    )
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


async def found(world: World, query: str, user: int = 0, **params: str) -> list[int]:
    page = await search(world, query, user, **params)
    return [int(tweet["tweet_id"]) for tweet in page["tweets"]]


async def until_found(world: World, query: str, ids: list[int], user: int = 0) -> None:
    async def read() -> list[int]:
        return sorted(await found(world, query, user, page_size="100"))

    await eventually(read, sorted(ids))


async def refusal(api: httpx.AsyncClient, path: str, **params: str) -> tuple[int, str, str]:
    reply = await api.get(path, params=params)
    info = reply.json()["details"][0]
    return reply.status_code, info["reason"], info["metadata"].get("problem", "")


async def test_words_hashtags_and_operators(world: World) -> None:
    """S000-06, S000-67, S000-68, S000-72, S001-08."""
    [user] = await world.new_users(1)
    one, two = word(), word()
    both = int((await world.post(user, f"Hello {one} {two.upper()}"))["tweet_id"])
    first = int((await world.post(user, f"caf\u00e9 #{one} alone"))["tweet_id"])
    second = int((await world.post(user, f"{two} again"))["tweet_id"])
    await until_found(world, f"{one} OR {two}", [both, first, second])
    for query, expected in [
        (f"{one} {two}", [both]),
        (one, [both, first]),
        (f"#{one}", [first]),
        (one.upper(), [both, first]),
        (f"{two} -{one}", [second]),
        (f'"{one} {two}"', [both]),
        (f'"{two} {one}"', []),
        (f"{one} cafe", [first]),
        (f"<b>{one}</b> {two}", [both]),
        (f"{one} has:hashtags", [first]),
        (f"{one} since:2024-01-01", [both, first]),
        (f"{one} until:2024-01-01", []),
    ]:
        assert sorted(await found(world, query)) == sorted(expected), query
    raw = await world.api.get(f"/api/v1/search?query={one}+{two}")
    assert [int(t["tweet_id"]) for t in raw.json()["tweets"]] == [both]


async def test_items_are_as_in_timelines(world: World) -> None:
    """S000-73, S001-02: the same schema as the home timeline's, newest first under latest."""
    [user] = await world.new_users(1)
    term = word()
    ids = [int((await world.post(user, f"{term} {n}"))["tweet_id"]) for n in range(5)]
    await until_found(world, term, ids)
    page = await search(world, term, user, sort="latest")
    assert [int(tweet["tweet_id"]) for tweet in page["tweets"]] == ids[::-1]
    timeline = await world.api.get("/api/v1/user_timeline", params={"user_id": str(user)})
    by_id = {tweet["tweet_id"]: tweet for tweet in timeline.json()["tweets"]}
    assert page["tweets"] == [by_id[str(i)] for i in ids[::-1]]
    assert [int(u["user_id"]) for u in page["users"]] == [user]
    assert (page["unreachable"], page["partial"], page["corrected_query"]) == ([], False, "")


async def test_typos_are_fixed_unless_exact(world: World) -> None:
    """S000-66."""
    [user] = await world.new_users(1)
    tweet = int((await world.post(user, "a marvellous zeppelinfahrt"))["tweet_id"])
    await until_found(world, "zeppelinfahrt", [tweet])
    page = await search(world, "Marvelous zepelinfahrt")
    assert page["corrected_query"] == "marvellous zeppelinfahrt"
    assert [int(t["tweet_id"]) for t in page["tweets"]] == [tweet]
    assert (await search(world, "zepelinfahrt", exact="true"))["tweets"] == []
    right = await search(world, "marvellous")
    assert right["corrected_query"] == ""


async def test_pages_of_any_size_are_the_whole(world: World) -> None:
    [user] = await world.new_users(1)
    term = word()
    ids = [int((await world.post(user, f"{term} {n}"))["tweet_id"]) for n in range(25)]
    await until_found(world, term, ids)
    for sort in ("top", "latest"):
        whole = await found(world, term, sort=sort, page_size="100")
        walked: list[int] = []
        token = ""
        while True:
            page = await search(world, term, sort=sort, page_size="4", page_token=token)
            walked += [int(tweet["tweet_id"]) for tweet in page["tweets"]]
            token = page["next_page_token"]
            if not token:
                break
            if len(walked) == 8:
                await world.post(user, f"{term} meanwhile")
        assert walked == whole, sort
        assert sorted(set(walked)) == sorted(walked)
        ids = sorted({*ids, *whole})


async def test_deleted_and_hidden_tweets_are_not_found(world: World) -> None:
    me, friend, closed, blocker = await world.new_users(4)
    term = word()
    mine, his, theirs = [
        int((await world.post(user, f"{term} by {user}"))["tweet_id"])
        for user in (friend, closed, blocker)
    ]
    await until_found(world, term, [mine, his, theirs], me)
    await world.act(closed, "PATCH", f"/api/v1/users/{closed}", {"protected": True})
    await world.act(blocker, "PUT", f"/api/v1/users/{blocker}/blocks/{me}")
    await until_found(world, term, [mine], me)
    await world.act(friend, "DELETE", f"/api/v1/tweets/{mine}")
    await until_found(world, term, [], me)
    assert await found(world, f"{term} from:nobody_here", me) == []


async def test_users_and_suggestions(world: World) -> None:
    me, star = await world.new_users(2)
    [(name,)] = await world.sql("graph", f"SELECT user_name FROM users WHERE user_id = {star}")
    await world.follow([(me, star)])
    await world.act(star, "PATCH", f"/api/v1/users/{star}", {"display_name": "Zebulon Quux"})

    async def users(query: str) -> list[int]:
        reply = await world.api.get("/api/v1/users:search", params={"query": query})
        assert reply.status_code == 200, reply.text
        return [int(user["user_id"]) for user in reply.json()["users"]]

    await eventually(lambda: users("zebulon quux"), [star])
    assert (await users(name))[0] == star
    tag = word()
    await world.post(me, f"#{tag}")
    suggested = {"prefix": tag[:-1]}

    async def suggest(**params: str) -> list[str]:
        reply = await world.api.get("/api/v1/search:suggest", params=params)
        assert reply.status_code == 200, reply.text
        return [each["text"] for each in reply.json()["suggestions"]]

    await eventually(lambda: suggest(**suggested), [f"#{tag}"])
    assert f"@{name}" in await suggest(prefix="@zebu")
    assert await suggest(prefix="") == []


async def test_each_step_of_parsing_shows(world: World) -> None:
    """S000-63, S000-64, S000-65, S000-68."""
    reply = await world.api.get(
        "/api/v1/search:parse", params={"query": "<b>Qxqfoo</b>-qxqbar,qxqbaz #Qxqtag OR @Wren -no"}
    )
    parsed = reply.json()
    assert parsed["plain_query"] == "Qxqfoo -qxqbar,qxqbaz #Qxqtag OR @Wren -no"
    terms = [token["term"] for token in parsed["tokens"]]
    assert terms == ["qxqfoo", "qxqbar", "qxqbaz", "qxqtag", "or", "wren", "no"]
    kinds = {token["text"]: token["kind"] for token in parsed["tokens"]}
    assert kinds["#Qxqtag"] == "TOKEN_KIND_HASHTAG"
    assert kinds["@Wren"] == "TOKEN_KIND_MENTION"
    assert parsed["tree"]["operator"] == "QUERY_OPERATOR_AND"
    assert "(hashtag:qxqtag OR mention:wren)" in parsed["expression"]


async def test_a_search_of_many_becomes_a_trend_and_a_suggestion(world: World) -> None:
    """S003-11."""
    users = await world.new_users(30)
    term = word()
    tweet = int((await world.post(users[0], f"{term} cup"))["tweet_id"])
    await until_found(world, term, [tweet])
    for user in users:
        await search(world, f"{term} Cup", user)

    async def trends() -> list[tuple[str, int]]:
        params = {"kind": "TREND_KIND_SEARCH", "limit": "50"}
        reply = (await world.api.get("/api/v1/trends", params=params)).json()
        return [
            (each["name"], int(each["volume"])) for each in reply["trends"] if term in each["name"]
        ]

    await eventually(trends, [(f"{term} Cup", 30)])

    async def suggest() -> list[str]:
        reply = await world.api.get("/api/v1/search:suggest", params={"prefix": f"{term} c"})
        return [each["text"] for each in reply.json()["suggestions"]]

    await eventually(suggest, [f"{term} Cup"])


async def test_over_grpc_and_the_operators_list(world: World) -> None:
    [user] = await world.new_users(1)
    term = word()
    tweet = int((await world.post(user, f"{term} over grpc"))["tweet_id"])
    await until_found(world, term, [tweet])
    address = world.mesh.edge_url.removeprefix("http://")
    async with SearchClient(address, token=world.token(user, scopes=("operator",))) as client:
        assert [t.tweet_id for t in (await client.search(term)).tweets] == [tweet]
        assert (await client.parse(term)).expression == term
        [shard] = (await client.shards()).shards
    assert shard.reachable
    alive = "SELECT count(*) FROM tweets WHERE delete_time IS NULL AND original_tweet_id = 0"
    [(count,)] = await world.sql("tweet", alive)
    assert shard.tweet_count == count, "retweets are not searched"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("-only", "says only what must not be there"),
        ('"never closed', "opens a quote at 1"),
        ("(((((((((a)))))))))", "nested parentheses"),
        ("a)", "closes a parenthesis at 2"),
        ("(a", "opens a parenthesis at 1"),
        ("x" * 501, "at most 500"),
        ("x" * 10_000, "at most 500"),
        ("a\x01b", "control character U+0001 at 2"),
        ("since:2026-02-30 a", "which is no day"),
        ("has:dragons a", "known are media, links"),
        (" ".join(f"w{n}" for n in range(33)), "more than 32 terms"),
        ("!!! ???", "holds nothing to look for"),
    ],
)
async def test_bad_queries(world: World, query: str, problem: str) -> None:
    for path in ("/api/v1/search", "/api/v1/search:parse"):
        status, reason, said = await refusal(world.api, path, query=query)
        assert (status, reason) == (400, "QUERY_INVALID"), query
        assert problem in said


async def test_other_bad_input(world: World) -> None:
    [user] = await world.new_users(1)
    term = word()
    for number in range(3):
        await world.post(user, f"{term} {number}")
    ids = [
        int(i)
        for (i,) in await world.sql(
            "tweet", f"SELECT tweet_id FROM tweets WHERE author_id = {user}"
        )
    ]
    await until_found(world, term, ids)
    page = await search(world, term, page_size="1")
    token = page["next_page_token"]
    for params, reason in [
        ({"query": "other", "page_token": token}, "PAGE_TOKEN_INVALID"),
        ({"query": term, "page_token": token, "sort": "latest"}, "PAGE_TOKEN_INVALID"),
        ({"query": term, "page_token": "rubbish"}, "PAGE_TOKEN_INVALID"),
        ({"query": term, "page_size": "-1"}, "PAGE_SIZE_NEGATIVE"),
        ({"query": term, "sort": "worst"}, "INVALID_ARGUMENT"),
    ]:
        status, found_reason, _ = await refusal(world.api, "/api/v1/search", **params)
        assert (status, found_reason) == (400, reason)
    assert (await refusal(world.api, "/api/v1/search:suggest", prefix="x" * 101))[
        1
    ] == "QUERY_INVALID"
    assert (await refusal(world.api, "/api/v1/users:search", query="-"))[1] == "QUERY_INVALID"
    for query in ("*" * 400, "a* b? c~", "[a TO b]", "OR OR OR", "x^5"):
        reply = await world.api.get("/api/v1/search", params={"query": query})
        assert reply.status_code in (200, 400), query
