"""Accounts: names, idempotency, reading, changing."""

import asyncio
import gc
import time
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import ParseDict
from psycopg.errors import UndefinedTable

from aviary.events.v1 import payload_pb2
from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1.user_pb2 import MentionPolicy
from services.chassis.errors import ServiceError
from services.graph.servicer.graph import DESCRIPTOR, GraphServicer

from .world import PASSWORD, World, call, refused


async def create(world: World, **fields: str) -> bytes:
    request = ParseDict({"password": PASSWORD, **fields}, pb.CreateUserRequest())
    return await world.graph.create_user(request, call())


async def update(world: World, user_id: int, **fields: Any) -> pb.UpdateUserResponse:
    return await world.graph.update_user(pb.UpdateUserRequest(**fields), call(user_id))


async def test_a_new_user_is_whole_and_in_the_log(world: World) -> None:
    raw = await create(world, user_name="Ada_1", description="one\ntwo", email="ada@example.org")
    user = pb.CreateUserResponse.FromString(raw).user
    assert (user.user_name, user.display_name, user.description) == ("Ada_1", "Ada_1", "one\ntwo")
    assert abs(user.create_time.ToSeconds() - time.time()) < 60
    moment = time.strptime(user.created_at, "%a %b %d %H:%M:%S +0000 %Y")
    assert moment[:6] == time.gmtime(user.create_time.seconds)[:6]
    assert user.url == f"http://127.0.0.1:8080/api/v1/users/{user.user_id}"
    assert await world.get(user.user_id) == user
    assert await world.batch(user.user_id) == [user]
    ((kind, payload),) = await world.sql("SELECT kind, payload FROM events")
    assert kind == "UserCreated"
    assert payload_pb2.UserCreated.FromString(payload).user == user


async def test_names_are_unique_whatever_their_case(world: World) -> None:
    user = await world.sign_up("Alice")
    with refused("USER_NAME_TAKEN", user_name="aLICE"):
        await world.sign_up("aLICE")
    bob = await world.sign_up("bob")
    with refused("USER_NAME_TAKEN", user_name="ALICE"):
        await update(world, bob.user_id, user_name="ALICE")
    found = await world.graph.lookup_user(pb.LookupUserRequest(user_name="ALICE"), call())
    assert found.user == user
    assert (await update(world, user.user_id, user_name="ALICE")).user.user_name == "ALICE"


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"user_name": ""}, "USER_NAME_INVALID", "user_name"),
        ({"user_name": "a" * 16}, "USER_NAME_INVALID", "user_name"),
        ({"user_name": "a b"}, "USER_NAME_INVALID", "user_name"),
        ({"user_name": "ä"}, "USER_NAME_INVALID", "user_name"),
        ({"user_name": "a\n"}, "USER_NAME_INVALID", "user_name"),
        ({"password": "1234567"}, "PASSWORD_INVALID", "password"),
        ({"password": "1" * 129}, "PASSWORD_INVALID", "password"),
        ({"display_name": "d" * 51}, "INVALID_ARGUMENT", "display_name"),
        ({"display_name": "a\0b"}, "INVALID_ARGUMENT", "display_name"),
        ({"description": "d" * 161}, "INVALID_ARGUMENT", "description"),
        ({"email": "nowhere"}, "INVALID_ARGUMENT", "email"),
        ({"request_id": "k" * 129}, "IDEMPOTENCY_KEY_INVALID", ""),
    ],
)
async def test_bad_accounts_are_refused(
    world: World, fields: dict[str, str], reason: str, field: str
) -> None:
    with refused(reason, **({"field": field} if field else {})):
        await create(world, **{"user_name": "fine", **fields})
    assert await world.sql("SELECT count(*) FROM users") == [(0,)]


async def test_the_limits_themselves_are_allowed(world: World) -> None:
    await create(world, user_name="a" * 15, password="p" * 128, display_name="ü" * 50)
    await create(world, user_name="b", password="12345678", description="d" * 160)


async def test_the_same_key_gives_the_same_answer(world: World) -> None:
    first = await create(world, user_name="ada", request_id="key 1")
    assert await create(world, user_name="ada", request_id="key 1") == first
    for other in ({"user_name": "eve"}, {"password": "another one"}, {"email": "a@b"}):
        with refused("IDEMPOTENCY_MISMATCH", request_id="key 1"):
            await create(world, **{"user_name": "ada", "request_id": "key 1", **other})
    header = call(idempotency_key="key 1")
    request = pb.CreateUserRequest(user_name="ada", password=PASSWORD)
    assert await world.graph.create_user(request, header) == first
    assert await world.sql("SELECT count(*) FROM users") == [(1,)]
    stored = await world.sql("SELECT * FROM idempotency_keys")
    assert PASSWORD not in str(stored)


async def test_parallel_calls_under_one_key_make_one_user(world: World) -> None:
    answers = await asyncio.gather(
        *(create(world, user_name="ada", request_id="key") for _ in range(12))
    )
    assert len(set(answers)) == 1
    assert await world.sql("SELECT count(*) FROM users") == [(1,)]
    assert await world.sql("SELECT count(*) FROM events") == [(1,)]


async def test_a_key_is_forgotten_after_a_day(world: World) -> None:
    await create(world, user_name="ada", request_id="key")
    await world.sql(
        "UPDATE idempotency_keys SET create_time = now() - interval '25 hours' RETURNING 1"
    )
    with refused("USER_NAME_TAKEN"):
        await create(world, user_name="ada", request_id="key")
    await create(world, user_name="eve", request_id="key")


async def test_batches_keep_the_order_and_leave_out_who_is_missing(world: World) -> None:
    a, b, c = await world.users("a", "b", "c")
    for _ in range(2):  # from PostgreSQL, then from the caches
        assert [u.user_id for u in await world.batch(c, 77, a, c, b, a)] == [c, a, b]
    with refused("INVALID_ARGUMENT", field="user_ids"):
        await world.batch(*range(1, 102))


async def test_unknown_users_are_not_found(world: World) -> None:
    with refused("USER_NOT_FOUND", user_id="77"):
        await world.get(77)
    for name in ("nobody", "not a name", "a\0"):
        with refused("USER_NOT_FOUND", user_name=name):
            await world.graph.lookup_user(pb.LookupUserRequest(user_name=name), call())
    with refused("UNAUTHENTICATED"):
        await world.graph.get_user(pb.GetUserRequest(user_id="me"), call())


async def test_update_changes_what_is_given_and_nothing_else(world: World) -> None:
    user = await world.sign_up("ada")
    assert await world.batch(user.user_id) == [user]
    changed = (await update(world, user.user_id, display_name="Ada L.", email="a@b")).user
    user.display_name = "Ada L."
    assert changed == user == await world.get(user.user_id)
    assert await world.batch(user.user_id) == [user]  # the caches have heard of it
    ((payload,),) = await world.sql("SELECT payload FROM events WHERE kind = 'UserUpdated'")
    assert payload_pb2.UserUpdated.FromString(payload).user == user


async def test_the_mask_is_an_allow_list(world: World) -> None:
    user = await world.sign_up("ada")
    await update(world, user.user_id, description="old", display_name="Ada")
    mask = FieldMask(paths=["description", "display_name"])
    cleared = (await update(world, user.user_id, email="x@y", update_mask=mask)).user
    assert (cleared.description, cleared.display_name) == ("", "ada")
    assert await world.sql("SELECT email FROM users") == [("",)]
    for path in ("user_id", "followers_count", "password_hash"):
        with refused("INVALID_ARGUMENT", field="update_mask"):
            await update(world, user.user_id, update_mask=FieldMask(paths=[path]))
    with refused("ACTING_FOR_OTHER_USER"):
        await world.graph.update_user(
            pb.UpdateUserRequest(user_id="77", display_name="x"), call(user.user_id)
        )


async def test_an_account_may_be_protected_from_the_start_or_later(world: World) -> None:
    request = pb.CreateUserRequest(user_name="eve", password=PASSWORD, protected=True)
    raw = await world.graph.create_user(request, call())
    eve = pb.CreateUserResponse.FromString(raw).user
    assert eve.protected
    assert (await world.get(eve.user_id)).protected
    ada = await world.sign_up("ada")
    assert not ada.protected
    assert (await update(world, ada.user_id, protected=True)).user.protected
    assert [user.protected for user in await world.batch(ada.user_id)] == [True]
    assert (await update(world, ada.user_id, display_name="Ada")).user.protected
    opened = await update(world, ada.user_id, update_mask=FieldMask(paths=["protected"]))
    assert not opened.user.protected


async def test_who_may_tag_can_be_chosen(world: World) -> None:
    """S003-12."""
    user = await world.sign_up("tagged")
    assert user.mention_policy == MentionPolicy.MENTION_POLICY_EVERYONE
    changed = await update(world, user.user_id, mention_policy="MENTION_POLICY_FOLLOWING")
    assert changed.user.mention_policy == MentionPolicy.MENTION_POLICY_FOLLOWING
    assert (await world.get(user.user_id)) == changed.user
    mask = FieldMask(paths=["mention_policy"])
    cleared = await update(world, user.user_id, update_mask=mask)
    assert cleared.user.mention_policy == MentionPolicy.MENTION_POLICY_EVERYONE
    with refused("INVALID_ARGUMENT", field="mention_policy"):
        await update(world, user.user_id, mention_policy=77)


async def test_hashing_is_bounded_and_off_the_loop(world: World) -> None:
    lag = 0.0

    async def watch() -> None:
        nonlocal lag
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            lag = max(lag, time.perf_counter() - before)

    watching = asyncio.create_task(watch())
    results = await asyncio.gather(
        *(create(world, user_name=f"u{n}") for n in range(80)), return_exceptions=True
    )
    watching.cancel()
    reasons = {r.reason for r in results if isinstance(r, ServiceError)}
    assert reasons == {"OVERLOADED"}
    assert 4 <= sum(isinstance(r, bytes) for r in results) <= 64
    assert lag < 0.5


def test_the_public_names_are_the_methods_of_the_contract() -> None:
    names = {n for c in GraphServicer.__mro__[:-1] for n in vars(c) if not n.startswith("_")}
    methods = {"".join(part.title() for part in name.split("_")) for name in names}
    assert methods == {method.name for method in DESCRIPTOR.methods}


async def test_without_postgres_a_batch_fails_once_and_quietly(world: World) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
    try:
        await world.sql("ALTER TABLE users RENAME TO users_gone")
        with pytest.raises(UndefinedTable):
            await world.batch(1, 2, 3)
        gc.collect()
        await asyncio.sleep(0)
        assert complaints == []
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
