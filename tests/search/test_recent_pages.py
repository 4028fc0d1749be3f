"""First pages that are shared: how long, and by whom."""

from services.search.recent_pages import PAGE_SECONDS, First, RecentPages

FIRST = First("word", 20, "top", exact=True)


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_page_is_shared_for_half_a_second() -> None:
    clock = Clock()
    pages = RecentPages(clock)
    pages.put(FIRST, b"page", clock.now + 9.0)
    clock.now += PAGE_SECONDS - 0.01
    assert pages.get(FIRST) == b"page"
    clock.now += 0.02
    assert pages.get(FIRST) is None


def test_a_page_is_shared_no_longer_than_its_search() -> None:
    clock = Clock()
    pages = RecentPages(clock)
    pages.put(FIRST, b"page", clock.now + 0.1)
    assert pages.get(FIRST) == b"page"
    clock.now += 0.11
    assert pages.get(FIRST) is None


def test_a_page_that_may_not_be_shared_is_not_kept() -> None:
    clock = Clock()
    pages = RecentPages(clock)
    pages.put(FIRST, b"page", 0.0)
    assert pages.get(FIRST) is None


def test_another_search_has_another_page() -> None:
    pages = RecentPages(Clock())
    pages.put(FIRST, b"page", 9_999.0)
    others = [
        FIRST._replace(query="words"), FIRST._replace(size=21), FIRST._replace(sort="latest"),
        FIRST._replace(exact=False),
    ]  # fmt: skip
    assert [pages.get(other) for other in others] == [None] * 4
