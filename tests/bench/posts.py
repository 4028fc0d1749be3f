"""Posting: over gRPC and REST beside the baseline's insert and a raw insert of many rows."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.conninfo import make_conninfo

from aviary.tweet.v1 import tweet_service_pb2 as tweet_pb
from services import tweet
from services.chassis.snowflake import Snowflakes, wall_clock_ms
from services.chassis.stores import Connection, migrate
from tests.chassis.echo_contract import PACKAGE, Echo

from .bench import PROCESSES, Bench, some
from .figures import Curve, Figure, repeated
from .hosts import replica
from .load import Load, RestCall, as_user, grpc_rate
from .world import TEXT, AsUser, calling

STAGE, TIMES = "posts", "post-times"
FIGURES = (
    "constant-small", "post-grpc", "post-rest", "baseline-post", "raw-insert-16", "raw-insert-64",
)  # fmt: skip
CREATE = "/aviary.tweet.v1.TweetService/CreateTweet"
DATABASE = "raw"
RAW_CONNECTIONS = 8
POSTERS = 500
BLOCK, BLOCKS, PAUSE_SECONDS = 10, 3, 0.1
"""Posts of one author in a row, how often a round, and the rest between two authors: a short one,
for what the worker does with one author's posts must not be counted as another's time."""


async def posts(bench: Bench) -> None:
    """Rates of durable posts; the fan-out of each figure is waited for before the next one."""
    settings, log = bench.world.mesh.settings, bench.folder / "replicas.log"
    async with (
        replica("tests.chassis.echo", "envoy", settings, log) as echo,
        raw_inserts(bench) as (by_16, by_64),
    ):
        people = some(bench.world.people, POSTERS)
        await bench.take_turns(
            STAGE,
            [
                _constant(echo),
                _post_grpc(bench),
                bench.rest("post-rest", "post, REST, with idempotency key", _calls(bench, people),
                           ("baseline-post",), writes=True),
                bench.rest("baseline-post", "baseline: insert over HTTP", _baseline_calls(people)),
                Figure("raw-insert-16", "raw insert, tweet and event, 16 a transaction",
                       "tweets/s", by_16),
                Figure("raw-insert-64", "raw insert, tweet and event, 64 a transaction",
                       "tweets/s", by_64),
            ],
        )  # fmt: skip


def _constant(echo: str) -> Figure:
    load = Load(echo, [f"/{PACKAGE}.EchoService/Unary"], Echo(text="hi"), 5, [()] * PROCESSES)
    title = "constant reply of a few bytes, gRPC, Envoy host"
    return Figure("constant-small", title, "calls/s", lambda seconds: grpc_rate(load, seconds))


def _post_grpc(bench: Bench) -> Figure:
    async def measure(seconds: float) -> float:
        callers = [as_user(one) for one in some(bench.world.people)]
        request = tweet_pb.CreateTweetRequest(status=TEXT)
        address = bench.world.mesh.address("tweet")
        return await grpc_rate(Load(address, [CREATE], request, len(TEXT), callers), seconds)

    limits = ("baseline-post", "raw-insert-64", "constant-small")
    title = "post, gRPC, Envoy host"
    return Figure("post-grpc", title, "calls/s", measure, limits, bench.drained)


def _calls(bench: Bench, people: Sequence[int]) -> list[RestCall]:
    body = json.dumps({"status": TEXT})
    return [RestCall("POST", "/api/v1/tweets", bench.world.token(one), body) for one in people]


def _baseline_calls(people: Sequence[int]) -> list[RestCall]:
    return [
        RestCall("POST", "/tweets", body=json.dumps({"user_id": one, "status": TEXT}))
        for one in people
    ]


@contextlib.asynccontextmanager
async def raw_inserts(bench: Bench) -> AsyncIterator[tuple[Any, Any]]:
    """What PostgreSQL takes by itself: the product's tables, its rows, nothing else.

    As many connections as a service has insert a tweet's and an event's row for each of 16, or 64,
    tweets with one statement each, in one transaction, in a database of their own.
    """
    source = bench.world.mesh.dsn("tweet")
    dsn = make_conninfo(source, dbname=DATABASE)
    async with await Connection.connect(source, autocommit=True) as admin:
        await admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        await admin.execute(f"CREATE DATABASE {DATABASE}".encode())
        await migrate(dsn, Path(tweet.__file__).parent / "migrations")
        rows = [await _Rows.like_those_of(admin, table) for table in ("tweets", "events")]
    ids = Snowflakes(1, after_ms=wall_clock_ms())
    async with contextlib.AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(await Connection.connect(dsn, autocommit=True))
            for _ in range(RAW_CONNECTIONS)
        ]

        def inserting(count: int) -> Any:
            async def insert(connection: Connection) -> None:
                tweet_ids = [ids.next() for _ in range(count)]
                async with connection.pipeline(), connection.transaction():
                    for each in rows:
                        await each.insert(connection, tweet_ids)

            async def work() -> int:
                await asyncio.gather(*map(insert, connections))
                return count * len(connections)

            return repeated(work)

        yield inserting(16), inserting(64)


class _Rows:
    """Rows of one table, all like one that the product made, but for their ids."""

    def __init__(self, table: str, names: Sequence[str], kinds: Sequence[str], row: Any) -> None:
        columns = sql.SQL(", ").join(map(sql.Identifier, names))
        arrays = sql.SQL(", ").join(sql.SQL("%b::" + kind + "[]") for kind in kinds)
        self._statement = sql.SQL("INSERT INTO {} ({}) SELECT * FROM unnest({})").format(
            sql.Identifier(table), columns, arrays
        )
        self._names = names
        self._row = row

    @classmethod
    async def like_those_of(cls, connection: Connection, table: str) -> "_Rows":
        """Of the newest row of the product's table."""
        found = await connection.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
            " AND attgenerated = '' AND attidentity = '' AND attname <> 'xid' ORDER BY attnum",
            (table,),
        )
        names, kinds = zip(*await found.fetchall(), strict=True)
        query = sql.SQL("SELECT {} FROM {} ORDER BY {} DESC LIMIT 1").format(
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.Identifier(table),
            sql.Identifier("tweet_id" if table == "tweets" else "event_id"),
        )
        row = await (await connection.execute(query)).fetchone()
        return cls(table, names, kinds, row)

    async def insert(self, connection: Connection, ids: list[int]) -> None:
        """One row for each id."""
        columns = [
            ids if name in {"tweet_id", "event_id", "conversation_id"} else [value] * len(ids)
            for name, value in zip(self._names, self._row, strict=True)
        ]
        await connection.execute(self._statement, columns)


async def post_times(bench: Bench) -> None:
    """Milliseconds until a post is answered, one after another, by the author's followers."""
    authors = bench.world.authors
    curve = Curve("post-time", "time of a post", "followers of the author", "ms")
    async with calling(bench.world.mesh.address("tweet"), CREATE) as call:
        for number in range(-bench.plan.warm_ups, bench.plan.rounds):
            taken: dict[int, list[float]] = {followers: [] for followers in authors}
            for block in range(BLOCKS):
                order = list(authors)
                turn = (number + block) % len(order)
                for followers in order[turn:] + order[:turn]:
                    taken[followers] += await _post(call, authors[followers])
                    await asyncio.sleep(PAUSE_SECONDS)
            for followers, milliseconds in taken.items():
                if number >= 0:
                    curve.add(followers, sorted(milliseconds)[len(milliseconds) // 2])
    await bench.drained()
    bench.results.curves.append(curve)
    bench.results.figures += _ends(curve)


async def _post(call: AsUser, author: int) -> list[float]:
    request = tweet_pb.CreateTweetRequest(status=TEXT)
    taken = []
    for _ in range(BLOCK):
        started = time.perf_counter()
        await call(author, request)
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _ends(curve: Curve) -> list[Figure]:
    """The curve's first and last point as figures, for their ratio."""

    async def measured(_seconds: float) -> float:
        raise AssertionError("was measured with its curve")

    few, many = min(curve.points), max(curve.points)
    return [
        Figure("post-time-ten", f"time of a post, {few:,} followers", "ms", measured,
               rounds=curve.points[few]),
        Figure("post-time-most", f"time of a post, {many:,} followers", "ms", measured,
               ("post-time-ten",), rounds=curve.points[many]),
    ]  # fmt: skip
