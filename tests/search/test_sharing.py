"""Whose pages are shared: only first ones, only of those who are not logged in, only whole ones."""

import time
from types import SimpleNamespace
from typing import Any

from aviary.search.v1 import search_service_pb2 as pb
from services.chassis.tweet_page import NOT_ENGAGED
from services.search.pages import Page, Place
from services.search.servicer.tweets import TweetMethods


class Pages:
    """Counts the pages that are made."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.made = 0

    async def page(self, *_: object) -> Page:
        self.made += 1
        until = time.monotonic() + self.seconds if self.seconds else 0.0
        return Page([], [], NOT_ENGAGED, Place((), 7), [], until)


def caller(user_id: int) -> Any:
    return SimpleNamespace(caller=SimpleNamespace(user_id=user_id))


def methods(pages: Pages) -> TweetMethods:
    nothing: Any = None
    made: Any = pages
    return TweetMethods(nothing, made, nothing)


ASKED = pb.SearchRequest(query="word", exact=True)


async def test_a_first_page_is_made_once_for_who_is_not_logged_in() -> None:
    pages = Pages(60.0)
    search = methods(pages).search
    assert await search(ASKED, caller(0)) == await search(ASKED, caller(0))
    assert pages.made == 1


async def test_a_page_is_made_for_each_who_is_logged_in() -> None:
    pages = Pages(60.0)
    search = methods(pages).search
    for _ in range(2):
        await search(ASKED, caller(0))
        await search(ASKED, caller(1))
    assert pages.made == 3


async def test_a_further_page_is_made_anew() -> None:
    pages = Pages(60.0)
    search = methods(pages).search
    token = pb.SearchResponse.FromString(await search(ASKED, caller(0))).next_page_token
    further = pb.SearchRequest(query="word", exact=True, page_token=token)
    for _ in range(2):
        await search(further, caller(0))
    assert pages.made == 3


async def test_what_may_not_be_shared_is_made_anew() -> None:
    pages = Pages(0.0)
    search = methods(pages).search
    for _ in range(2):
        await search(ASKED, caller(0))
    assert pages.made == 2
