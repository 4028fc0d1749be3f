"""The load of a drill: a fixed number of calls a second, whatever becomes of those before."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from aviary.timeline.v1.timeline_service_pb2 import GetHomeTimelineRequest
from aviary.tweet.v1.tweet_pb2 import Tweet
from aviary.tweet.v1.tweet_service_pb2 import CreateTweetRequest, GetTweetRequest
from clients.errors import PeerError
from services.chassis import background
from services.local.drills.cast import Cast
from services.local.drills.edges import Answer, Edges, acting
from services.local.drills.ledger import Ledger

MOST_PER_SECOND = 200
MOST_AT_ONCE = 600
"""Beyond so many unanswered calls no more are made: they count as failed."""
CALL_SECONDS = 12.0


class Outcome(NamedTuple):
    """What became of one call; `error` is empty where it succeeded."""

    began: float
    seconds: float
    writes: bool
    kind: str
    error: str

    @property
    def ended(self) -> float:
        """When it was over, on the clock of `time.monotonic()`."""
        return self.began + self.seconds


class CallFailedError(Exception):
    """A call was not answered as it should have been."""


class Load:
    """Runs calls of all kinds by turns, four reads to a write."""

    def __init__(self, edges: Edges, cast: Cast, ledger: Ledger, per_second: float) -> None:
        self._edges = edges
        self._cast = cast
        self._ledger = ledger
        self._pause = 1.0 / min(per_second, MOST_PER_SECOND)
        self._numbers = itertools.count()
        self._readers = itertools.cycle(cast.readers)
        self._running: set[asyncio.Task[None]] = set()
        self._newest = 0
        self._create = edges.grpc("/aviary.tweet.v1.TweetService/CreateTweet", Tweet)
        self._get = edges.grpc("/aviary.tweet.v1.TweetService/GetTweet", bytes)
        self._home = edges.grpc("/aviary.timeline.v1.TimelineService/GetHomeTimeline", bytes)
        self.outcomes: list[Outcome] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Make calls as long as this is open; left when all are answered."""
        try:
            async with background.running(self._run()):
                yield
        finally:
            if self._running:
                await asyncio.wait(self._running)

    async def _run(self) -> None:
        kinds = itertools.cycle(self._kinds())
        due = time.monotonic()
        while True:
            kind, writes, call = next(kinds)
            if len(self._running) < MOST_AT_ONCE:
                task = asyncio.create_task(self._one(kind, writes, call))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            else:
                self.outcomes.append(Outcome(time.monotonic(), 0.0, writes, kind, "too many"))
            due += self._pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _kinds(self) -> list[tuple[str, bool, Callable[[int], Awaitable[None]]]]:
        reads = [
            ("home, REST", False, self._read_home),
            ("tweet, gRPC", False, self._read_tweet),
            ("home, gRPC", False, self._read_home_by_grpc),
            ("user, REST", False, self._read_user),
        ]
        return [
            ("post, REST", True, self._post), *reads,
            ("follow, REST", True, self._follow), *reads,
            ("post, gRPC", True, self._post_by_grpc), *reads,
            ("post, REST", True, self._post), *reads,
        ]  # fmt: skip

    async def _one(self, kind: str, writes: bool, call: Callable[[int], Awaitable[None]]) -> None:
        began, error = time.monotonic(), ""
        try:
            await call(next(self._numbers))
        except CallFailedError as failure:
            error = str(failure)
        except PeerError as failure:
            error = f"{failure.code.name} {failure.reason or failure.message[:60]}"
        self.outcomes.append(Outcome(began, time.monotonic() - began, writes, kind, error))

    def _author(self, number: int) -> int:
        return self._cast.authors[number % len(self._cast.authors)]

    async def _post(self, number: int) -> None:
        user, key = self._author(number), f"drill {self._cast.run} {number}"
        body = {"status": key}
        answer = await self._edges.rest(
            "POST", "/api/v1/tweet", self._cast.tokens[user], body, key.replace(" ", "-")
        )
        if answer.status != 200:
            self._ledger.unknown.append((user, key))
        _check(answer)
        self._posted(user, int(answer.body["tweet_id"]), key)

    async def _post_by_grpc(self, number: int) -> None:
        user, key = self._author(number), f"drill {self._cast.run} {number}"
        request = CreateTweetRequest(status=key, request_id=key.replace(" ", "-"))
        try:
            tweet = await self._create(
                request, timeout=CALL_SECONDS, metadata=acting(self._cast.tokens[user])
            )
        except PeerError:
            self._ledger.unknown.append((user, key))
            raise
        self._posted(user, tweet.tweet_id, key)

    def _posted(self, user: int, tweet_id: int, key: str) -> None:
        self._ledger.note("post", user, tweet_id, key)
        self._newest = tweet_id

    async def _follow(self, number: int) -> None:
        user = self._author(number)
        target = self._cast.targets[number // len(self._cast.authors) % len(self._cast.targets)]
        path = f"/api/v1/users/{user}/following/{target}"
        _check(await self._edges.rest("PUT", path, self._cast.tokens[user], {}))
        self._ledger.note("follow", user, target, "")

    async def _read_home(self, _number: int) -> None:
        token = self._cast.tokens[next(self._readers)]
        path = "/api/v1/home_timeline?user_id=me&page_size=10"
        _check(await self._edges.rest("GET", path, token))

    async def _read_user(self, number: int) -> None:
        user = self._author(number)
        path = f"/api/v1/user_timeline?user_id={user}&page_size=10"
        _check(await self._edges.rest("GET", path, self._cast.tokens[user]))

    async def _read_tweet(self, number: int) -> None:
        if self._newest:
            request = GetTweetRequest(tweet_id=self._newest)
            token = self._cast.tokens[self._author(number)]
            await self._again(self._get, request, token)

    async def _read_home_by_grpc(self, _number: int) -> None:
        request = GetHomeTimelineRequest(user_id="me", page_size=10)
        await self._again(self._home, request, self._cast.tokens[next(self._readers)])

    async def _again(
        self, method: Callable[..., Awaitable[bytes]], request: object, token: str
    ) -> None:
        """A read whose connection broke is asked of another edge, once, as over REST."""
        for last in (False, True):
            try:
                await method(request, timeout=CALL_SECONDS, metadata=acting(token))
            except PeerError as error:
                if last or error.status is not None or error.code.name != "UNAVAILABLE":
                    raise
            else:
                return


def _check(answer: Answer) -> None:
    if answer.status != 200:
        reasons = [detail.get("reason") for detail in answer.body.get("details", ())]
        reason = next((reason for reason in reasons if reason), "")
        raise CallFailedError(f"{answer.status or 'no answer'} {reason}".strip())
