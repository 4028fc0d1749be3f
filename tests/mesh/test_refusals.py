"""Bad input: the right status, reason and field over REST, the same reason over gRPC, no trace.

S003-16, S003-25.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from clients.channel import Peer
from clients.errors import PeerError

from .refusals import REFUSALS, Refusal
from .world import World

BY_NAME = [pytest.param(refusal, id=refusal.name) for refusal in REFUSALS]
OVER_GRPC = [param for param, refusal in zip(BY_NAME, REFUSALS, strict=True) if refusal.rpc]


@pytest.fixture(scope="module")
async def people(world: World) -> tuple[int, int]:
    """The caller and somebody else."""
    me, other = await world.new_users(2)
    return me, other


@pytest.fixture
async def unchanged(world: World, people: tuple[int, int]) -> AsyncIterator[None]:
    """Nothing is half-written: the databases hold what they held."""
    before = await rows(world)
    yield
    assert await rows(world) == before


async def rows(world: World) -> list[Any]:
    counts = []
    for database, table in [
        ("tweet", "tweets"), ("tweet", "events"), ("tweet", "idempotency_keys"),
        ("graph", "users"), ("graph", "follows"), ("graph", "events"),
    ]:  # fmt: skip
        counts += await world.sql(database, f"SELECT count(*) FROM {table}")
    return counts


async def filled(world: World, people: tuple[int, int], text: str) -> str:
    me, other = people
    name = (await world.sql("graph", f"SELECT user_name FROM users WHERE user_id = {me}"))[0][0]
    return (
        text.replace("{me}", str(me)).replace("{other}", str(other)).replace("{NAME}", name.upper())
    )


def headers(world: World, refusal: Refusal, me: int) -> dict[str, str]:
    token = {"mine": world.token(me), "broken": "ABC.DEF.GHI", "none": ""}[refusal.token]
    return {"authorization": f"Bearer {token}"} if token else {}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("refusal", BY_NAME)
async def test_over_rest(world: World, people: tuple[int, int], refusal: Refusal) -> None:
    verb, path = refusal.http
    body = refusal.body if isinstance(refusal.body, str) else json.dumps(refusal.body)
    reply = await world.api.request(
        verb,
        await filled(world, people, path),
        params={k: await filled(world, people, v) for k, v in refusal.query.items()},
        content=None if refusal.body is None else await filled(world, people, body),
        headers=headers(world, refusal, people[0]),
    )
    assert reply.status_code == refusal.status, reply.text
    error = reply.json()
    details = {detail["@type"].rsplit(".", 1)[1]: detail for detail in error["details"]}
    assert details["ErrorInfo"]["reason"] == refusal.reason
    assert details["ErrorInfo"]["domain"] == "aviary"
    assert error["message"]
    if refusal.at:
        fields = [v["field"] for v in details["BadRequest"]["field_violations"]]
        assert fields == [refusal.at]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("refusal", OVER_GRPC)
async def test_over_grpc(world: World, people: tuple[int, int], refusal: Refusal) -> None:
    assert refusal.rpc is not None
    path, template = refusal.rpc
    request = await concrete(world, people, template)
    metadata = tuple(headers(world, refusal, people[0]).items())
    async with Peer("edge", world.mesh.edge_url.removeprefix("http://")) as edge:
        with pytest.raises(PeerError) as caught:
            await edge.unary(path, bytes)(request, metadata=metadata)
    assert caught.value.reason == refusal.reason
    if refusal.at:
        assert [field for field, _ in caught.value.violations] == [refusal.at]


async def concrete(world: World, people: tuple[int, int], template: Message) -> Message:
    """The request with its names filled in; a target of -1 is the caller."""
    text = json_format.MessageToJson(template).replace('"-1"', f'"{people[0]}"')
    return json_format.Parse(await filled(world, people, text), type(template)())
