"""An author's list with filters: the paging law for each of them, and bounded pages."""

import asyncio
import itertools
import random
from typing import Any

import pytest

from services.chassis.stores import Pool, open_pool
from services.tweet.domain import BACKFILLED, MEDIA, QUOTE, REPLY, RETWEET, SENSITIVE, Kinds, Span
from services.tweet.store.author_ids import AuthorIdStore, Query
from services.tweet.store.mention_lists import MentionLists
from services.tweet.store.reads import ANY_ID

from .harness import ALICE, BOB, Refused, Tweets

FILTERS: list[dict[str, bool]] = [
    {"include_replies": replies, "include_retweets": retweets, "only_media": media}
    for replies, retweets, media in itertools.product((True, False), repeat=3)
]


async def _fill(tweets: Tweets, flags: list[int], author: int = ALICE) -> None:
    """Rows with these flags, ids from 1; every seventh is deleted."""
    await tweets.sql(
        "INSERT INTO tweets (tweet_id, author_id, status, entities, in_reply_to_tweet_id,"
        " in_reply_to_user_id, quote_tweet_id, quote_user_id, conversation_id, flags, delete_time)"
        " SELECT n, %s, 'x', '', 0, 0, 0, 0, n, f, CASE WHEN n %% 7 = 0 THEN now() END"
        " FROM unnest(%s::smallint[]) WITH ORDINALITY AS t(f, n)",
        author,
        flags,
    )


def _wanted(flags: int, fields: dict[str, bool]) -> bool:
    if fields["only_media"] and (not flags & MEDIA or flags & RETWEET):
        return False
    if flags & REPLY and not fields["include_replies"]:
        return False
    return not flags & RETWEET or fields["include_retweets"]


@pytest.mark.parametrize("fields", FILTERS, ids=str)
@pytest.mark.parametrize("size", [1, 13, 100])
async def test_filtered_pages_make_the_whole(
    tweets: Tweets, fields: dict[str, Any], size: int
) -> None:
    chance = random.Random(size)
    bits = (0, REPLY, RETWEET, QUOTE, MEDIA, MEDIA | REPLY, MEDIA | RETWEET)
    flags = [chance.choice(bits) | chance.choice((0, SENSITIVE, BACKFILLED)) for _ in range(150)]
    await _fill(tweets, flags)
    truth = [n for n, f in enumerate(flags, 1) if n % 7 and _wanted(f, fields)][::-1]
    found, token = [], ""
    while True:
        page = await tweets.page(user_id=ALICE, page_size=size, page_token=token, **fields)
        found += [tweet.tweet_id for tweet in page.tweets]
        token = page.next_page_token
        if not token:
            break
    assert found == truth
    assert truth


async def test_a_token_is_bound_to_the_filters(tweets: Tweets) -> None:
    await _fill(tweets, [MEDIA] * 5)
    token = (await tweets.page(user_id=ALICE, page_size=1)).next_page_token
    others: list[dict[str, Any]] = [{"include_retweets": False}, {"only_media": True}]
    for fields in others:
        with pytest.raises(Refused) as refused:
            await tweets.page(user_id=ALICE, page_token=token, **fields)
        assert refused.value.reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize(("count", "every"), [(0, 1), (9, 10), (10, 10), (11, 10), (95, 30)])
async def test_what_lies_deep_is_reached_in_bounded_steps(
    tweets: Tweets, count: int, every: int
) -> None:
    """A store that looks at ten entries a page: pages are short, the walk is complete."""
    flags = [0 if n % every == 0 else REPLY for n in range(1, count + 1)]
    await _fill(tweets, flags)
    truth = [n for n in range(count, 0, -1) if n % every == 0 and n % 7]
    async with open_pool(tweets.dsn, size=1, name="lists") as pool:
        authors = AuthorIdStore(pool, scanned=10)
        found: list[int] = []
        before, pages = ANY_ID, 0
        while before:
            query = Query(ALICE, Span(before, 0, 5), Kinds(replies=False))
            (page,) = await authors.pages([query])
            assert not page.reached or page.reached < before
            found += page.tweet_ids
            before, pages = page.reached, pages + 1
    assert found == truth
    assert pages == (1 if count < 10 else count // 10 + 1)


async def test_rare_media_are_found_at_once(tweets: Tweets) -> None:
    """The partial index answers it: thousands of others in between are not looked at."""
    flags = [MEDIA if n in (2, 5000) else REPLY for n in range(1, 6001)]
    await _fill(tweets, flags)
    page = await tweets.page(user_id=ALICE, only_media=True)
    assert [tweet.tweet_id for tweet in page.tweets] == [5000, 2]
    assert page.next_page_token == ""
    short = await tweets.page(user_id=ALICE, include_replies=False, page_size=1)
    assert ([t.tweet_id for t in short.tweets], bool(short.next_page_token)) == ([5000], True)
    rest = await tweets.page(
        user_id=ALICE, include_replies=False, page_size=1, page_token=short.next_page_token
    )
    assert ([t.tweet_id for t in rest.tweets], bool(rest.next_page_token)) == ([], True)


async def test_pages_are_read_by_key(tweets: Tweets) -> None:
    """However the planner sees the table: no page may read an author's rows whole."""
    await _fill(tweets, [0] * 3000)
    await tweets.sql(
        "INSERT INTO mentions SELECT %s, tweet_id FROM tweets WHERE author_id = %s", BOB, ALICE
    )
    await tweets.sql("ANALYZE tweets; ANALYZE mentions")
    async with open_pool(tweets.dsn, size=1, name="lists") as pool:
        mentioned, authors = MentionLists(pool), AuthorIdStore(pool)
        query = Query(ALICE, Span(ANY_ID, 0, 20), Kinds())
        before = await _settled(pool)
        for _ in range(12):  # beyond the fifth time the plan is a generic one
            assert [len(page.tweet_ids) for page in await authors.pages([query])] == [20]
            assert len((await mentioned.page(BOB, Span(ANY_ID, 0, 20))).rows) == 20
        assert 12 * 40 <= await _rows_read(pool) - before < 24 * 100


async def _settled(pool: Pool) -> int:
    """What has been read so far: connections that ended a moment ago report late."""
    last = -1
    while (read := await _rows_read(pool)) != last:
        last = read
        await asyncio.sleep(0.3)
    return read


async def _rows_read(pool: Pool) -> int:
    """Rows that this pool's connection has fetched from the table, by scans of any kind."""
    async with pool.connection() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        cursor = await connection.execute(
            "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables"
            " WHERE relid IN (SELECT inhrelid FROM pg_inherits"
            " WHERE inhparent = 'tweets'::regclass)"
        )
        (rows,) = await cursor.fetchone() or (0,)
        return int(rows)
