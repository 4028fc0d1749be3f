"""The fan-out policy: its rules, its tables, what operators may do, and who learns of it when."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.chassis.stores import Pool, open_pool
from services.local.mesh import Mesh
from services.timeline.policy import watch
from services.timeline.policy.domain import Change, Policy, State
from services.timeline.policy.store import PolicyStore
from services.timeline.policy.watch import PolicyWatch

ME, OTHER = 1, 2


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


async def known(store: PolicyStore) -> Policy:
    policy = await store.load()
    assert policy is not None
    return policy


def test_more_followers_than_the_threshold_are_pulled() -> None:
    policy = Policy(pull_threshold=100)
    assert [policy.should_pull(ME, count) for count in (0, 100, 101)] == [False, False, True]


@pytest.mark.parametrize("state", State)
def test_who_is_pulled_stays_down_to_nine_tenths(state: State) -> None:
    policy = Policy(pull_threshold=100, states={ME: state})
    stays = state is not State.LEAVING
    assert [policy.should_pull(ME, c) for c in (89, 90, 100, 101)] == [False, stays, stays, True]


def test_overrides_beat_the_threshold() -> None:
    policy = Policy(pull_threshold=100, overrides={ME: True, OTHER: False})
    assert policy.should_pull(ME, 0)
    assert not policy.should_pull(OTHER, 10**9)


@given(st.lists(st.integers(0, 300), max_size=50), st.integers(0, 200))
def test_an_author_crosses_back_only_over_a_tenth(counts: list[int], threshold: int) -> None:
    pulled = False
    for count in counts:
        states = {ME: State.PULLED} if pulled else {}
        should = Policy(pull_threshold=threshold, states=states).should_pull(ME, count)
        if count > threshold:
            assert should
        elif count * 10 < threshold * 9:
            assert not should
        else:
            assert should == pulled, "in between nobody crosses"
        pulled = should


def test_the_set_of_pulled_stays_the_same_object() -> None:
    before = Policy(pulled=frozenset({ME}))
    assert Policy(pulled=frozenset({ME})).after(before).pulled is before.pulled
    assert Policy(pulled=frozenset({OTHER})).after(before).pulled == {OTHER}


async def test_changes_at_the_same_time_are_all_made(store: PolicyStore) -> None:
    await asyncio.gather(
        *(store.update(Change(overrides={i: True})) for i in range(1, 21)),
        *(store.enter([i]) for i in range(1, 21)),
    )
    policy = await known(store)
    assert policy.overrides == dict.fromkeys(range(1, 21), True)
    assert policy.pulled == set(range(1, 21))
    assert policy.version == 41


async def test_the_way_through_the_registry(
    store: PolicyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.enter([ME, OTHER])
    assert await store.entered() == []  # not every reader knows
    await store.confirm([ME])
    assert (await known(store)).states == dict.fromkeys((ME, OTHER), State.ENTERING)
    monkeypatch.setattr("services.timeline.policy.store.KNOWN_SECONDS", 0)
    assert await store.entered() == [ME, OTHER]
    await store.confirm([ME])
    assert (await known(store)).states == {ME: State.PULLED, OTHER: State.ENTERING}
    await store.leave([ME, OTHER, 3])
    leaving = await store.next_leaving()
    assert leaving is not None
    assert leaving[0] == ME
    await store.advance(leaving, 77, 5)
    again = await store.next_leaving()
    assert again is not None
    assert again[2:] == (77, 5)
    await store.enter([ME])  # turns round
    assert not await store.remove(again)
    await store.advance(again, 99, 5)
    assert (await known(store)).states == {ME: State.ENTERING, OTHER: State.LEAVING}
    await store.leave([ME])
    longest = await store.next_leaving()
    assert longest is not None
    assert longest[0] == OTHER
    assert await store.remove(longest)
    turned = await store.next_leaving()
    assert turned is not None
    assert turned[2:] == (0, 0)  # lists made meanwhile lack what was not pushed: from the start


async def test_one_worker_holds_the_lease_until_it_ends(store: PolicyStore, pool: Pool) -> None:
    assert [await store.hold_lease(holder) for holder in "aab"] == [True, True, False]
    async with pool.connection() as connection:
        await connection.execute("UPDATE crossing_lease SET lease_until = clock_timestamp()")
    assert [await store.hold_lease(holder) for holder in "ba"] == [True, False]
    await store.release_lease("a")
    assert not await store.hold_lease("a")
    await store.release_lease("b")
    assert await store.hold_lease("a")


async def test_every_process_learns_of_a_change(store: PolicyStore) -> None:
    async with (
        PolicyWatch(store, CollectorRegistry()) as one,
        PolicyWatch(store, CollectorRegistry()) as two,
    ):
        assert one.current.pull_threshold == 10_000
        before = one.current
        await store.update(Change(pull_threshold=7, list_length=123))
        await until(lambda: one.current.pull_threshold == two.current.pull_threshold == 7)
        assert two.current.list_length == 123
        assert one.current.pulled is before.pulled
        await one.enter([ME])
        assert one.current.states == {ME: State.ENTERING}  # at once
        await until(lambda: two.current.pulled == {ME})


async def test_a_poll_that_finds_nothing_new_loads_nothing(store: PolicyStore) -> None:
    policy = await known(store)
    assert await store.load(policy.version) is None


@contextlib.asynccontextmanager
async def closed(stores: Mesh, dsn: str) -> AsyncIterator[None]:
    """The database lets nobody in, and has thrown out who was."""
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    admin = await psycopg.AsyncConnection.connect(stores.dsn("tweet"), autocommit=True)
    async with admin:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        try:
            yield
        finally:
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


async def test_while_postgres_is_away_the_last_policy_stays(
    stores: Mesh, dsn: str, store: PolicyStore
) -> None:
    registry = CollectorRegistry()

    def age() -> float:
        return registry.get_sample_value("aviary_timeline_policy_age_seconds") or 0.0

    await store.update(Change(pull_threshold=7))
    await store.enter([ME])
    async with PolicyWatch(store, registry, poll_seconds=0.1) as policies:
        assert age() < 1
        async with closed(stores, dsn):
            await until(lambda: age() > 1)
            await policies.enter([OTHER])  # does not raise: OTHER stays pushed
            assert policies.current.pull_threshold == 7
            assert policies.current.pulled == {ME}
        await until(lambda: age() < 0.5, seconds=30)
        await policies.enter([OTHER])
        await until(lambda: policies.current.pulled == {ME, OTHER})


async def test_a_process_that_never_knew_the_policy_does_not_start(
    dsn: str,
) -> None:
    async with open_pool(dsn, size=1, name="policy") as pool:  # without the tables
        with pytest.raises(psycopg.Error):
            async with PolicyWatch(PolicyStore(pool), CollectorRegistry()):
                pass


def test_what_is_away_covers_a_full_pool_and_a_silent_server() -> None:
    from psycopg_pool import PoolTimeout

    assert issubclass(PoolTimeout, watch.AWAY)
    assert issubclass(TimeoutError, watch.AWAY)
