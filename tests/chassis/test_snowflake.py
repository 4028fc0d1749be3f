"""Ids are unique and increase, whatever clocks and processes do."""

import asyncio
from pathlib import Path

import pytest

from services.chassis import stores as chassis_stores
from services.chassis.errors import UnavailableError
from services.chassis.snowflake import (
    SEQUENCES,
    Snowflakes,
    id_at,
    leased_snowflakes,
    unix_ms_of,
    wall_clock_ms,
)

NO_MIGRATIONS = Path("/nonexistent")


def test_ids_increase_when_the_clock_steps_back() -> None:
    now = [wall_clock_ms()]
    snowflakes = Snowflakes(3, after_ms=0, clock=lambda: now[0])
    made = []
    for step in (0, 1, -5000, -1, 0, 6000, -3000):
        now[0] += step
        made += [snowflakes.next() for _ in range(3)]
    assert made == sorted(set(made))


def test_a_full_millisecond_moves_on_to_the_next() -> None:
    now = wall_clock_ms()
    snowflakes = Snowflakes(1023, after_ms=0, clock=lambda: now)
    made = [snowflakes.next() for _ in range(SEQUENCES + 1)]
    assert made == sorted(set(made))
    assert unix_ms_of(made[0]) == now
    assert unix_ms_of(made[-1]) == now + 1


def test_id_and_moment_agree() -> None:
    assert unix_ms_of(id_at(1_800_000_000_123)) == 1_800_000_000_123


def test_no_id_past_the_lease() -> None:
    now = wall_clock_ms()
    snowflakes = Snowflakes(0, after_ms=0, clock=lambda: now)
    snowflakes.allow_until = now
    with pytest.raises(UnavailableError):
        snowflakes.next()


async def test_unique_under_sixteen_concurrent_generators(dsn: str) -> None:
    await chassis_stores.migrate(dsn, NO_MIGRATIONS)
    # One frozen clock for all: only the leased worker numbers keep them apart.
    frozen = wall_clock_ms()

    async def make(holder: str) -> list[int]:
        async with leased_snowflakes(pool, holder, lambda: frozen) as snowflakes:
            made = []
            for _ in range(2000):
                made.append(snowflakes.next())
                if not len(made) % 100:
                    await asyncio.sleep(0)
            return made

    async with chassis_stores.open_pool(dsn, size=8, name="test") as pool:
        made = await asyncio.gather(*(make(f"holder-{n}") for n in range(16)))
    assert len({one for batch in made for one in batch}) == 16 * 2000


async def test_number_handed_on_starts_behind_its_last_holder(dsn: str) -> None:
    await chassis_stores.migrate(dsn, NO_MIGRATIONS)
    ahead = wall_clock_ms() + 5000
    async with chassis_stores.open_pool(dsn, size=2, name="test") as pool:
        async with pool.connection() as connection:
            await connection.execute("DELETE FROM snowflake_workers WHERE worker > 0")
        async with leased_snowflakes(pool, "first", lambda: ahead) as first:
            last = first.next()
        # The next holder's clock is five seconds behind.
        async with leased_snowflakes(pool, "second") as second:
            assert second.next() > last


async def test_all_numbers_taken_is_unavailable(dsn: str) -> None:
    await chassis_stores.migrate(dsn, NO_MIGRATIONS)
    async with chassis_stores.open_pool(dsn, size=2, name="test") as pool:
        async with pool.connection() as connection:
            await connection.execute("DELETE FROM snowflake_workers WHERE worker > 0")
        async with leased_snowflakes(pool, "first"):
            with pytest.raises(UnavailableError):
                async with leased_snowflakes(pool, "second"):
                    pass
