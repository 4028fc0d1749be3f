"""Promise 12: when a caller's deadline has passed, its statement in PostgreSQL ends with it."""

import asyncio
import time

import psycopg
import pytest
from grpc import StatusCode

from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.status import Failure

from .harness import ALICE, PATH, Tweets

DEADLINE = 0.3
WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE application_name = 'tweet' AND datname = current_database()"
    " AND wait_event_type = 'Lock'"
)


async def ask(tweets: Tweets) -> StatusCode:
    request = pb.ListUserTweetsRequest(user_id=ALICE)
    call = Call(PATH + "ListUserTweets", {}, time.monotonic() + DEADLINE)
    serve = tweets.server.table[call.method].unary
    assert serve is not None
    with pytest.raises(Failure) as raised:
        await serve(request.SerializeToString(), call)
    return raised.value.code


async def test_no_statement_outlives_its_callers_deadline(tweets: Tweets) -> None:
    locker = await psycopg.AsyncConnection.connect(tweets.dsn)
    async with locker:
        await locker.execute("LOCK TABLE tweets IN ACCESS EXCLUSIVE MODE")
        asking = asyncio.create_task(ask(tweets))
        async with asyncio.timeout(5):
            while await tweets.sql(WAITING) != [(1,)]:  # the fault is there: it waits for the lock
                await asyncio.sleep(0.01)
        assert await asking == StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(2):  # the statement's own timeout would be 5 s
            while await tweets.sql(WAITING) != [(0,)]:
                await asyncio.sleep(0.01)
        await locker.rollback()
