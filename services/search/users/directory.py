"""All users in memory, by name, words and beginnings of words, the most followed first.

Made anew at each start from Graph, whose log it then follows; some 400 bytes a user.
"""

import asyncio
import contextlib
import threading
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

import structlog
import tantivy

from aviary.events.v1 import payload_pb2
from clients.errors import PeerError
from clients.events import Event
from clients.graph import GraphClient, User
from clients.tail import EventTail

from ..analysis import analyze

USER_ID, NAME, WORDS, STARTS, FOLLOWERS = "user_id", "name", "words", "starts", "followers"
MAX_START = 15
COMMIT_SECONDS = 0.5
MAX_CHANGED = 2_000
HISTORY_SECONDS = 60.0
RESTART_SECONDS = 1.0
HEAP_BYTES = 32 << 20
log = structlog.get_logger()


class Match(NamedTuple):
    """A user who matches, and how many follow them."""

    user_id: int
    followers: int


class UserDirectory:
    """Finds users."""

    def __init__(self) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_integer_field(USER_ID, indexed=True, fast=True)
        builder.add_integer_field(FOLLOWERS, fast=True)
        for name in (NAME, WORDS, STARTS):
            builder.add_text_field(name, tokenizer_name="whitespace", index_option="basic")
        self._schema = builder.build()
        self._index = tantivy.Index(self._schema)
        self._index.config_reader("manual", 0)
        self._writer = self._index.writer(HEAP_BYTES, 1)
        self._searcher = self._index.searcher()
        self._dirty = False
        self._lock = threading.Lock()

    @property
    def user_count(self) -> int:
        """How many users can be found."""
        return self._searcher.num_docs

    def put(self, users: Iterable[User], *, but: Container[int] = ()) -> None:
        """Put users in, in place of what was known of them. It blocks."""
        with self._lock:
            for user in users:
                if user.user_id not in but:
                    self._writer.delete_documents_by_term(USER_ID, user.user_id)
                    self._writer.add_document(_document_of(user))
                    self._dirty = True

    def commit(self) -> None:
        """Make what was put in findable. It blocks."""
        with self._lock:
            if self._dirty:
                self._dirty = False
                self._writer.commit()
                self._index.reload()
                self._searcher = self._index.searcher()

    def named(self, name: str) -> list[Match]:
        """The user of exactly this name."""
        return self._newest(tantivy.Query.term_query(self._schema, NAME, name.lower()), 1)

    def matching(self, words: Sequence[str], limit: int) -> list[Match]:
        """Users with every word in name or profile, or a name that starts with it."""
        must = [(tantivy.Occur.Must, self._word(word)) for word in words]
        return self._newest(tantivy.Query.boolean_query(must), limit)

    def starting(self, start: str, limit: int) -> list[Match]:
        """Users with a name, or a word of it, that starts with this."""
        term = tantivy.Query.term_query(self._schema, STARTS, start[:MAX_START])
        return self._newest(term, limit)

    def _word(self, word: str) -> tantivy.Query:
        should = tantivy.Occur.Should
        return tantivy.Query.boolean_query(
            [
                (should, tantivy.Query.term_query(self._schema, WORDS, word)),
                (should, tantivy.Query.term_query(self._schema, STARTS, word[:MAX_START])),
            ]
        )

    def _newest(self, query: tantivy.Query, limit: int) -> list[Match]:
        searcher = self._searcher
        hits = searcher.search(query, limit=limit, count=False, order_by_field=FOLLOWERS).hits
        ids = searcher.fast_field_values(USER_ID, [address for _, address in hits])
        found = [
            Match(int(user_id or 0), int(count))
            for user_id, (count, _) in zip(ids, hits, strict=True)
        ]
        return sorted(found, key=lambda match: (-match.followers, match.user_id))


def _document_of(user: User) -> tantivy.Document:
    name = user.user_name.lower()
    named = {name, *(token.term for token in analyze(f"{user.display_name} {name}"))}
    words = {token.term for token in analyze(user.description)}
    starts = {word[: size + 1] for word in named for size in range(min(len(word), MAX_START))}
    return tantivy.Document(
        **{
            USER_ID: user.user_id,
            FOLLOWERS: user.followers_count,
            NAME: name,
            WORDS: " ".join(words | named),
            STARTS: " ".join(starts),
        }
    )


class DirectoryFeed:
    """Keeps a directory up to date."""

    def __init__(self, directory: UserDirectory, graph: GraphClient) -> None:
        self._directory = directory
        self._graph = graph
        self._changed: dict[int, None] = {}
        self._read_again: set[int] = set()
        """Those whom nobody has read as newly while everybody is being read."""

    async def run(self) -> None:
        """Follow Graph's log for ever; after a failure, or where the place was lost, anew."""
        while True:
            try:
                await self._follow()
            except Exception as error:
                log.warning("user directory starts anew", why=repr(error))
            await asyncio.sleep(RESTART_SECONDS)

    async def _follow(self) -> None:
        tail = EventTail(self._graph, history_seconds=HISTORY_SECONDS)
        async with asyncio.TaskGroup() as tasks:
            began = asyncio.Event()
            tasks.create_task(self._keep_committing())
            tasks.create_task(self._keep_refreshing())
            tasks.create_task(self._read_all(began))
            async with contextlib.aclosing(tail.stretches()) as stretches:
                async for stretch in stretches:
                    if began.is_set() and not stretch.continuous:
                        raise LookupError("the place in Graph's log was lost")
                    self._take(stretch.events)
                    began.set()

    def _take(self, events: Sequence[Event]) -> None:
        """Whoever changed is read again: what an event says may be older than what was read."""
        for event in events:
            if event.kind == "UserCreated":
                self._note(payload_pb2.UserCreated.FromString(event.payload).user.user_id)
            elif event.kind == "UserUpdated":
                self._note(payload_pb2.UserUpdated.FromString(event.payload).user.user_id)
            elif event.kind == "UserFollowed":
                self._note(payload_pb2.UserFollowed.FromString(event.payload).target_user_id)
            elif event.kind == "UserUnfollowed":
                self._note(payload_pb2.UserUnfollowed.FromString(event.payload).target_user_id)

    def _note(self, user_id: int) -> None:
        self._changed[user_id] = None

    async def _keep_committing(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await asyncio.to_thread(self._directory.commit)

    async def _keep_refreshing(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            changed = list(self._changed)[:MAX_CHANGED]
            for user_id in changed:
                del self._changed[user_id]
            if changed:
                try:
                    users = await self._graph.get_users(changed)
                    self._read_again.update(changed)
                    await asyncio.to_thread(self._directory.put, users)
                except PeerError as error:
                    log.info("changed users not read, later", why=str(error))
                    self._changed |= dict.fromkeys(changed)

    async def _read_all(self, began: asyncio.Event) -> None:
        self._read_again.clear()
        await began.wait()
        async with contextlib.aclosing(self._graph.scan()) as batches:
            async for users in batches:
                await asyncio.to_thread(self._directory.put, users, but=self._read_again)
        self._read_again.clear()
        log.info("all users are read", count=self._directory.user_count)
