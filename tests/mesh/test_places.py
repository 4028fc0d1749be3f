"""Tweets found by the place that they name, through the whole mesh (S003-20)."""

from typing import Any

import pytest

from clients.errors import PeerError
from clients.search import SearchClient

from .test_search import found, refusal, search, until_found, word
from .world import World


async def post_at(world: World, user: int, text: str, longitude: float, latitude: float) -> int:
    at = {"longitude": longitude, "latitude": latitude}
    return int((await world.post(user, text, location=at))["tweet_id"])


async def test_near_and_bbox(world: World) -> None:
    """Over REST and gRPC; only where the tweet says it was made counts."""
    [user, other] = await world.new_users(2)
    term = word()
    berlin = await post_at(world, user, f"{term} gate", 13.3777, 52.5163)
    potsdam = await post_at(world, other, f"{term} palace", 13.0385, 52.4042)
    fiji = await post_at(world, user, f"{term} beach", 179.9, -16.8)
    nowhere = int((await world.post(user, f"{term} nowhere"))["tweet_id"])
    private = await world.post(user, f"{term} at home", user_location="13.3777,52.5163")
    every = [berlin, potsdam, fiji, nowhere, int(private["tweet_id"])]
    await until_found(world, term, every)
    [(name,)] = await world.sql("graph", f"SELECT user_name FROM users WHERE user_id = {user}")
    for query, expected in [
        (f"{term} near:13.4,52.5", [berlin]),
        (f"{term} near:13.4,52.5,10km", [berlin]),
        (f"{term} near:13.4,52.5,30km", [berlin, potsdam]),
        (f"{term} near:13.4,52.5,30km from:{name}", [berlin]),
        (f"{term} near:13.4,52.5,30km since:2024-01-01 -gate", [potsdam]),
        (f"{term} -near:13.4,52.5,500km", [fiji, nowhere, int(private["tweet_id"])]),
        (f"{term} near:2.35,48.86,100km", []),
        (f"{term} bbox:13.3,52.4,13.5,52.6", [berlin]),
        (f"{term} bbox:170,-20,-170,-10", [fiji]),
        (f"{term} bbox:-170,-20,170,-10", []),
        (f"{term} near:-179.9,-16.8,50km", [fiji]),
        (f"{term} (near:13.4,52.5 OR bbox:170,-20,-170,-10)", [berlin, fiji]),
    ]:  # fmt: skip
        assert sorted(await found(world, query)) == sorted(expected), query
    page = await search(world, f"{term} near:13.4,52.5")
    assert page["tweets"][0]["location"] == {"longitude": 13.3777, "latitude": 52.5163}
    address = world.mesh.edge_url.removeprefix("http://")
    async with SearchClient(address, token=world.token(user)) as client:
        near = await client.search(f"{term} near:13.4,52.5,30km", sort="latest")
        assert [tweet.tweet_id for tweet in near.tweets] == [potsdam, berlin]
        box = await client.search(f"{term} bbox:170,-20,-170,-10")
        assert [tweet.tweet_id for tweet in box.tweets] == [fiji]
        with pytest.raises(PeerError) as refused:
            await client.search("near:13.4,95")
        assert refused.value.reason == "QUERY_INVALID"
    await world.act(user, "DELETE", f"/api/v1/tweets/{berlin}")
    await until_found(world, f"{term} near:13.4,52.5,30km", [potsdam])


async def test_pages_of_a_place_are_full(world: World) -> None:
    """Tweets in the corners of the circle's box are no hits, and leave no gaps in pages."""
    [user] = await world.new_users(1)
    longitude, latitude = -30.0, -45.0  # where no other test is: the query is the place alone
    inside: list[int] = []
    for number in range(12):
        inside.append(await post_at(world, user, f"in {number}", longitude + 0.01, latitude))
        await post_at(world, user, f"out {number}", longitude + 0.112, latitude + 0.08)
    query = f"near:{longitude},{latitude},10km"
    box = f"bbox:{longitude - 1},{latitude - 1},{longitude + 1},{latitude + 1}"
    await until_found(world, query, inside)
    assert len(await found(world, box, page_size="100")) == 24
    for sort in ("top", "latest"):
        walked: list[int] = []
        sizes: list[int] = []
        token = ""
        while True:
            page = await search(world, query, sort=sort, page_size="5", page_token=token)
            sizes.append(len(page["tweets"]))
            walked += [int(tweet["tweet_id"]) for tweet in page["tweets"]]
            token = page["next_page_token"]
            if not token:
                break
        assert (walked, sizes) == (inside[::-1], [5, 5, 2])


async def parsed(world: World, query: str) -> dict[str, Any]:
    reply = await world.api.get("/api/v1/search:parse", params={"query": query})
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


async def test_parsing_shows_places(world: World) -> None:
    answer = await parsed(world, "near:13.4,52.50 -bbox:170,-20,-170,20")
    near, not_box = answer["tree"]["children"]
    assert (near["operator"], near["field"]) == ("QUERY_OPERATOR_PLACE", "near")
    assert near["value"] == "13.4,52.5,10km"
    assert not_box["operator"] == "QUERY_OPERATOR_NOT"
    assert not_box["children"][0]["value"] == "170,-20,-170,20"
    assert answer["expression"] == "(near:13.4,52.5,10km AND -bbox:170,-20,-170,20)"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("near:Berlin", "has near:Berlin, which is no place like near:13.4,52.5,25km"),
        ("near:13.4,95", "with a latitude of 95; it goes from -90 to 90"),
        ("near:0,0,501km", "with a radius in km of 501; it goes from 0.1 to 500"),
        ("bbox:1,2,3", "which is no box like bbox:13.1,52.3,13.8,52.7"),
        ("bbox:0,10,1,9", "whose south is north of its north"),
        (" OR ".join(f"near:{n},0" for n in range(5)), "has more than 4 places"),
    ],
)
async def test_bad_places(world: World, query: str, problem: str) -> None:
    for path in ("/api/v1/search", "/api/v1/search:parse"):
        status, reason, said = await refusal(world.api, path, query=query)
        assert (status, reason) == (400, "QUERY_INVALID")
        assert problem in said
