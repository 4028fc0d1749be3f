"""Search: queries over gRPC while tweets are indexed, the index's rates, and raw engines beside."""

import asyncio
import random
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import tantivy
from whoosh.fields import NUMERIC, TEXT, Schema
from whoosh.index import create_in
from whoosh.query import And, Term

from aviary.search.v1 import search_service_pb2 as pb
from aviary.tweet.v1 import tweet_service_pb2 as tweet_pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.graph import GraphClient
from clients.search import SearchClient
from clients.tail import Position
from clients.tweet import TweetClient
from services.search.domain_shards import Part
from services.search.index.entries import entry_of
from services.search.index.shard_index import Progress, ShardIndex
from services.search.index.snapshot import Question
from services.search.query.understanding import understand

from .bench import Bench
from .figures import Curve, Figure, Latency
from .hosts import until
from .load import raw_rate
from .rawload import write_requests
from .search_corpus import Corpus

STAGE, INDEXING = "search", "indexing"
FIGURES = ("search-zipf", "search-distinct", "search-edge-zipf")
INDEX_FIGURES = ("index-bulk", "index-tantivy", "index-whoosh", "query-ours", "query-tantivy",
                 "query-whoosh")  # fmt: skip
SEARCH = "/aviary.search.v1.SearchService/Search"
TWEETS, QUICK_TWEETS = 1_000_000, 50_000
WHOOSH_TWEETS = 5_000
LIVE_RATE = 6_000
IN_FLIGHT = 64
QUERIES = 40_000
REPLY_BYTES = 300
PATIENCE = 900.0
WHOLE = Part(0, 1)


async def search(bench: Bench) -> None:
    """Zipf and distinct queries over gRPC, while 6,000 tweets/s (quick: 500) come in."""
    corpus = Corpus(QUICK_TWEETS if bench.plan.quick else TWEETS)
    mesh = bench.world.mesh
    async with (
        TweetClient(mesh.address("tweet")) as tweets,
        SearchClient(mesh.address("search")) as client,
    ):
        authors = await _authors(bench)
        before = await _count(client)
        began = time.monotonic()
        await _ingest(tweets, corpus.batches(authors))
        await until(lambda: _holds(client, before + corpus.count), PATIENCE, every=0.2)
        took = time.monotonic() - began
        bench.results.figures.append(
            Figure("index-follow", "posted, logged, indexed and found, one shard", "tweets/s",
                   measure=_measured, rounds=[corpus.count / took])
        )  # fmt: skip
        rate = 500 if bench.plan.quick else LIVE_RATE
        live = asyncio.create_task(_keep_posting(tweets, authors, rate))
        try:
            await bench.take_turns(STAGE, _queries(bench, corpus))
        finally:
            live.cancel()
            await asyncio.wait([live])


async def indexing(bench: Bench) -> None:
    """Without the mesh: our index, tantivy bare and Whoosh bare, on the same texts; and curves."""
    count = QUICK_TWEETS if bench.plan.quick else TWEETS
    tweets = [
        Tweet(tweet_id=(n + 1) << 22, user_id=n % 1000 + 1, status=text)
        for n, text in enumerate(Corpus(count).texts())
    ]
    folder = bench.folder / "indexes"
    folder.mkdir()
    queries = [pb.SearchRequest.FromString(raw).query for raw in Corpus(0).distinct_queries(300)]
    raw = _Raw(folder, tweets, queries)
    await bench.take_turns(INDEXING, raw.figures())
    _curves(bench, folder, tweets, queries)
    shutil.rmtree(folder)


async def _measured(_seconds: float) -> float:
    raise AssertionError("measured once, while the world was made")


def _queries(bench: Bench, corpus: Corpus) -> list[Figure]:
    address = bench.world.mesh.address("search")
    zipf = write_requests(bench.folder / "zipf.requests", corpus.zipf_queries(QUERIES))
    distinct = write_requests(bench.folder / "distinct.requests", corpus.distinct_queries(QUERIES))
    edge = bench.world.mesh.edge_url.removeprefix("http://")

    def figure(name: str, title: str, where: str, file: Path, *limits: str) -> Figure:
        latency = Latency(f"latency-{name}", f"{title}, {IN_FLIGHT} in flight", 0.0)
        bench.results.latencies.append(latency)

        async def measure(seconds: float) -> float:
            token = bench.world.token(bench.world.people[0]) if where == edge else ""
            found = await _raw_rate(where, file, seconds, token)
            latency.rate = found["rate"]
            latency.rounds.append({"p50": found["p50"], "p99": found["p99"], "p99_9": found["p99"]})
            return found["rate"]

        return Figure(name, title, "queries/s", measure, limits)

    return [
        figure("search-zipf", "search, Zipf queries, gRPC, while indexing", address, zipf),
        figure("search-distinct", "search, distinct queries, gRPC, while indexing", address,
               distinct),
        figure("search-edge-zipf", "search, Zipf queries, gRPC, edge", edge, zipf, "search-zipf"),
    ]  # fmt: skip


async def _raw_rate(address: str, file: Path, seconds: float, token: str) -> dict[str, float]:
    return await raw_rate(address, SEARCH, file, seconds, REPLY_BYTES, token=token)


async def _ingest(tweets: TweetClient, batches: Iterator[tweet_pb.IngestTweetsRequest]) -> None:
    async def requests() -> AsyncIterator[tweet_pb.IngestTweetsRequest]:
        for batch in batches:
            yield batch

    async for _ in tweets.ingest(requests()):
        pass


async def _keep_posting(tweets: TweetClient, authors: Sequence[int], rate: int) -> None:
    """So many tweets a second, in batches of a tenth of that."""
    rng = random.Random(7)
    texts = list(Corpus(2_000).texts())
    while True:
        began = time.monotonic()
        request = tweet_pb.IngestTweetsRequest()
        for _ in range(rate // 10):
            request.tweets.add(user_id=rng.choice(authors), status=rng.choice(texts))
        await _ingest(tweets, iter([request]))
        await asyncio.sleep(max(0.0, 0.1 - (time.monotonic() - began)))


async def _authors(bench: Bench) -> Sequence[int]:
    """Users whom nobody follows: what is measured is search, not fan-out."""

    async def names() -> AsyncIterator[Sequence[str]]:
        yield [f"corpus{number}" for number in range(1_000)]

    async with GraphClient(bench.world.mesh.address("graph")) as graph:
        return [one async for reply in graph.import_users(names()) for one in reply.user_ids]


async def _count(client: SearchClient) -> int:
    reply = await client.shard_statistics(pb.GetShardStatisticsRequest())
    return reply.status.tweet_count


async def _holds(client: SearchClient, count: int) -> bool:
    return await _count(client) >= count


class _Raw:
    """The same texts in three engines; each is filled anew in each round."""

    def __init__(self, folder: Path, tweets: Sequence[Tweet], queries: Sequence[str]) -> None:
        self._folder = folder
        self._tweets = tweets
        self._queries = queries
        self._rounds = 0

    def figures(self) -> list[Figure]:
        """Rates of indexing, then of searching what was indexed last."""
        return [
            Figure("index-bulk", "indexing, ours: analysis, postings, commit", "tweets/s",
                   self._index_ours, ("index-tantivy", "index-whoosh")),
            Figure("index-tantivy", "indexing, tantivy bare, its own tokenizer", "tweets/s",
                   self._index_tantivy),
            Figure("index-whoosh", f"indexing, Whoosh bare, {WHOOSH_TWEETS:,} tweets", "tweets/s",
                   self._index_whoosh),
            Figure("query-ours", "20 newest, ours, one thread", "queries/s", self._query_ours,
                   ("query-tantivy", "query-whoosh")),
            Figure("query-tantivy", "20 best, tantivy bare, one thread", "queries/s",
                   self._query_tantivy),
            Figure("query-whoosh", f"20 best, Whoosh bare, {WHOOSH_TWEETS:,} tweets", "queries/s",
                   self._query_whoosh),
        ]  # fmt: skip

    def _fresh(self, name: str) -> Path:
        self._rounds += 1
        folder = self._folder / f"{name}-{self._rounds}"
        folder.mkdir()
        return folder

    async def _index_ours(self, _seconds: float) -> float:
        began = time.perf_counter()
        self._ours = filled(self._fresh("ours"), self._tweets)
        return len(self._tweets) / (time.perf_counter() - began)

    async def _index_tantivy(self, _seconds: float) -> float:
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("text", index_option="position")
        builder.add_integer_field("tweet_id", indexed=True, fast=True)
        self._schema = builder.build()
        began = time.perf_counter()
        index = tantivy.Index(self._schema, path=str(self._fresh("tantivy")))
        writer = index.writer(64 << 20, 1)
        for tweet in self._tweets:
            writer.add_document(tantivy.Document(text=tweet.status, tweet_id=tweet.tweet_id))
        writer.commit()
        took = time.perf_counter() - began
        index.reload()
        self._searcher = index.searcher()
        return len(self._tweets) / took

    async def _index_whoosh(self, _seconds: float) -> float:
        schema = Schema(text=TEXT, tweet_id=NUMERIC(stored=True, numtype=int, bits=64))
        began = time.perf_counter()
        self._whoosh = create_in(str(self._fresh("whoosh")), schema)
        writer = self._whoosh.writer()
        for tweet in self._tweets[:WHOOSH_TWEETS]:
            writer.add_document(text=tweet.status, tweet_id=tweet.tweet_id)
        writer.commit()
        return WHOOSH_TWEETS / (time.perf_counter() - began)

    async def _query_ours(self, _seconds: float) -> float:
        return rate_of(self._ours, self._queries)

    async def _query_tantivy(self, _seconds: float) -> float:
        began = time.perf_counter()
        for query in self._queries:
            must = [
                (tantivy.Occur.Must, tantivy.Query.term_query(self._schema, "text", word))
                for word in query.split()
            ]
            self._searcher.search(tantivy.Query.boolean_query(must), limit=20, count=False)
        return len(self._queries) / (time.perf_counter() - began)

    async def _query_whoosh(self, _seconds: float) -> float:
        began = time.perf_counter()
        with self._whoosh.searcher() as searcher:
            for query in self._queries:
                searcher.search(And([Term("text", word) for word in query.split()]), limit=20)
        return len(self._queries) / (time.perf_counter() - began)


def filled(folder: Path, tweets: Sequence[Tweet], part: Part = WHOLE) -> ShardIndex:
    """Our index with those of the tweets that a shard holds."""
    index = ShardIndex(folder)
    mine = (entry_of(tweet) for tweet in tweets if part.holds(tweet.tweet_id))
    index.apply((entry for entry in mine if entry), ())
    index.commit(Progress(Position(1, 1), complete=True))
    return index


def rate_of(index: ShardIndex, queries: Sequence[str], limit: int = 20) -> float:
    """Queries per second of one thread."""
    questions = [Question(understand(query).tree, limit) for query in queries]
    began = time.perf_counter()
    for question in questions:
        index.search(question)
    return len(questions) / (time.perf_counter() - began)


def _curves(bench: Bench, folder: Path, tweets: Sequence[Tweet], queries: Sequence[str]) -> None:
    """A query's cost by the size of the corpus and by the number of shards it is cut into."""
    size = Curve("search-bytes", "bytes on disk per tweet", "tweets", "bytes")
    bench.results.curves.append(size)
    for shards in (1, 2, 4):
        title = f"one query over all of {shards} shards, one thread"
        cost = Curve(f"search-cost-{shards}", title, "tweets", "us")
        bench.results.curves.append(cost)
        for count in (len(tweets) // 100, len(tweets) // 10, len(tweets)):
            indexes = [
                filled(folder / f"{count}-{part.name}", tweets[:count], part)
                for part in (Part(shard, shards) for shard in range(shards))
            ]
            cost.add(count, sum(1e6 / rate_of(index, queries) for index in indexes))
            if shards == 1:
                size.add(count, indexes[0].size_bytes / count)
            for index in indexes:
                index.close()
