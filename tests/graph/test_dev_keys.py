"""Registered applications."""

import asyncio
import time

from aviary.graph.v1 import graph_service_pb2 as pb

from .world import World, call, refused


async def create(world: World, user_id: int, **fields: str) -> pb.CreateDevKeyResponse:
    return await world.graph.create_dev_key(pb.CreateDevKeyRequest(**fields), call(user_id))


async def use(world: World, key: str, count: int) -> pb.UseDevKeyResponse:
    request = pb.UseDevKeyRequest(api_dev_key=key, quota="write", count=count)
    return await world.graph.use_dev_key(request, call())


async def test_a_key_is_shown_once_and_stored_hashed(world: World) -> None:
    (ada,) = await world.users("ada")
    made = await create(world, ada, name="My app", request_id="r1")
    assert made.api_dev_key.startswith(made.dev_key.key_prefix)
    assert (made.dev_key.plan, made.dev_key.user_id) == ("free", ada)
    assert {quota.name for quota in made.dev_key.quotas} >= {"read", "write"}
    again = await create(world, ada, name="My app", request_id="r1")
    assert (again.dev_key, again.api_dev_key) == (made.dev_key, "")
    with refused("IDEMPOTENCY_MISMATCH"):
        await create(world, ada, name="Other app", request_id="r1")
    assert (await use(world, made.api_dev_key, 1)).granted_count == 1
    stored = await world.sql("SELECT * FROM dev_keys")
    assert len(stored) == 1
    assert made.api_dev_key not in str(stored)


async def test_bad_input(world: World) -> None:
    ada, eve = await world.users("ada", "eve")
    for name in ("", "  ", "n" * 51, "a\0"):
        with refused("INVALID_ARGUMENT", field="name"):
            await create(world, ada, name=name)
    with refused("INVALID_ARGUMENT", field="plan"):
        await create(world, ada, name="app", plan="golden")
    with refused("SCOPE_MISSING", scope="operator"):
        await create(world, ada, name="app", plan="unlimited")
    with refused("UNAUTHENTICATED"):
        await create(world, 0, name="app")
    made = await create(world, ada, name="app")
    delete = pb.DeleteDevKeyRequest(dev_key_id=made.dev_key.dev_key_id)
    with refused("DEV_KEY_NOT_FOUND", dev_key_id=str(made.dev_key.dev_key_id)):
        await world.graph.delete_dev_key(delete, call(eve))
    await world.graph.delete_dev_key(delete, call(ada))
    with refused("DEV_KEY_INVALID"):
        await use(world, made.api_dev_key, 1)


async def test_pages_are_the_whole_newest_first(world: World) -> None:
    ada, eve = await world.users("ada", "eve")
    await create(world, eve, name="not ada's")
    names = [(await create(world, ada, name=f"app {n}")).dev_key.name for n in range(5)]
    found: list[str] = []
    request = pb.ListDevKeysRequest(page_size=2)
    while True:
        page = await world.graph.list_dev_keys(request, call(ada))
        found += [dev_key.name for dev_key in page.dev_keys]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert found == names[::-1]
    with refused("PAGE_TOKEN_INVALID"):
        await world.graph.list_dev_keys(request, call(eve))


async def test_a_quota_is_used_up_and_comes_back(world: World) -> None:
    """S003-18."""
    ada, eve = await world.users("ada", "eve")
    made, other = await create(world, ada, name="one"), await create(world, ada, name="two")
    (limit,) = [quota.limit for quota in made.dev_key.quotas if quota.name == "write"]
    granted = await asyncio.gather(*(use(world, made.api_dev_key, 7) for _ in range(20)))
    assert sum(answer.granted_count for answer in granted) == limit
    assert (await use(world, made.api_dev_key, 1)).granted_count == 0
    assert (await use(world, other.api_dev_key, 1)).granted_count == 1
    request = pb.GetUsageRequest(dev_key_id=made.dev_key.dev_key_id)
    [usage] = (await world.graph.get_usage(request, call(ada))).usages
    assert (usage.quota.name, usage.used, usage.quota.limit) == ("write", limit, limit)
    assert 0 < usage.reset_time.seconds - time.time() <= 61
    with refused("DEV_KEY_NOT_FOUND"):
        await world.graph.get_usage(request, call(eve))
    await world.sql("UPDATE quota_uses SET end_time = now()")
    [usage] = (await world.graph.get_usage(request, call(ada))).usages
    assert (usage.used, usage.HasField("reset_time")) == (0, False)
    assert (await use(world, made.api_dev_key, 2)).usage.used == 2


async def test_bad_uses(world: World) -> None:
    (ada,) = await world.users("ada")
    made = await create(world, ada, name="one")
    with refused("DEV_KEY_INVALID"):
        await use(world, "ak_nonsense", 1)
    with refused("INVALID_ARGUMENT", field="quota"):
        await use(world, made.api_dev_key, 0)
    for quota in ("", "read", "gold"):
        request = pb.UseDevKeyRequest(api_dev_key=made.api_dev_key, quota=quota, count=1)
        with refused("INVALID_ARGUMENT", field="quota"):
            await world.graph.use_dev_key(request, call())
