"""Nothing lives longer than it may, and nothing grows without bound."""

import random

from services.chassis.short_cache import ShortCache


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_no_item_is_given_out_after_its_time() -> None:
    rng = random.Random(3)
    for _ in range(200):
        clock = Clock()
        cache: ShortCache[int, float] = ShortCache(3.0, 1000, clock)
        held = 0
        for _ in range(100):
            clock.now += rng.choice([0.01, 0.3, 1.0, 1.6, 4.0])
            for put in cache.get_many(range(5)):
                if put is not None:
                    held += 1
                    assert clock.now - put < 3.0
            cache.put_many({rng.randrange(5): clock.now})
        assert held > 10


def test_an_item_is_kept_for_half_its_time_at_least() -> None:
    clock = Clock()
    cache: ShortCache[int, str] = ShortCache(3.0, 10, clock)
    clock.now = 1.4
    cache.put_many({1: "one"})
    clock.now = 2.9
    assert cache.get_many([1, 2]) == ["one", None]


def test_it_holds_no_more_than_it_may() -> None:
    cache: ShortCache[int, int] = ShortCache(1e9, 100)
    for number in range(1, 1000):
        cache.put_many({number: number})
        assert cache.get_many([number]) == [number]
    assert sum(found is not None for found in cache.get_many(range(1000))) <= 100
