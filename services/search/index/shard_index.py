"""The postings of one shard, on disk by tantivy. Everything here blocks: call it in a thread.

How far the index has followed the log is a document of its own, written in the same commit as what
it follows from: after a crash the two cannot disagree.
"""

import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog
import tantivy

from clients.tail import Position
from services.chassis.snowflake import unix_ms_of

from ..domain_ranking import Leaf, score, scoring_leaves, text_score, weight_of_leaf
from ..domain_shards import Answer, Hit
from ..domain_tree import FROM, TEXT, And, Node, Or, Phrase, Term
from .entries import LENGTH, MARK, PLACE, REACTIONS, TWEET_ID, Entry, document_of, schema
from .queries import Queries, both, ids_among, ids_between, newest
from .sieve import Sieve, has_circles

HEAP_BYTES = 64 << 20
THE_MARK = "here"
CANDIDATE = 1_000
"""Postings that may be looked at in the time that one candidate of a circle takes."""
MAX_OPTIONAL = 8
"""Alternatives of an `OR` that are told apart in a score; more of them score alike."""
log = structlog.get_logger()


class Progress(NamedTuple):
    """How far an index has come: in the log, and whether all that was before is in it."""

    position: Position
    complete: bool


class Question(NamedTuple):
    """The newest `limit` matches with an id below `before` (0: any), scored by the weights."""

    tree: Node
    limit: int
    before: int = 0
    weights: Mapping[str, float] | None = None
    now_ms: int = 0


class ShardIndex:
    """One index. One thread writes at a time; any number may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._schema = schema()
        self._index = _opened(folder, self._schema)
        self._index.config_reader("manual", 0)
        self._writer = self._index.writer(HEAP_BYTES, 1)
        self._lock = threading.Lock()
        self._searcher = self._reloaded()
        self._progress = self._read_progress()

    @property
    def tweet_count(self) -> int:
        """How many tweets can be found."""
        return max(0, self._searcher.num_docs - (self._progress is not None))

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self._folder.iterdir() if path.is_file())

    @property
    def progress(self) -> Progress | None:
        """What the last commit said; None in a new index."""
        return self._progress

    def _reloaded(self) -> tantivy.Searcher:
        self._index.reload()
        return self._index.searcher()

    def _read_progress(self) -> Progress | None:
        mark = tantivy.Query.term_query(self._schema, MARK, THE_MARK)
        hits = self._searcher.search(mark, limit=1, count=False).hits
        if not hits:
            return None
        xid, seq, complete = str(self._searcher.doc(hits[0][1]).get_first(PLACE)).split(":")
        return Progress(Position(int(xid), int(seq)), complete == "1")

    def apply(self, added: Iterable[Entry], deleted: Iterable[int]) -> None:
        """Put tweets in, in place of what was there of them, and take tweets out."""
        with self._lock:
            for entry in added:
                self._writer.delete_documents_by_term(TWEET_ID, entry.tweet_id)
                self._writer.add_document(document_of(entry))
            for tweet_id in deleted:
                self._writer.delete_documents_by_term(TWEET_ID, tweet_id)

    def commit(self, progress: Progress) -> None:
        """Make what was applied durable, and findable."""
        (xid, seq), complete = progress
        place = {MARK: THE_MARK, PLACE: f"{xid}:{seq}:{int(complete)}"}
        with self._lock:
            self._writer.delete_documents_by_term(MARK, THE_MARK)
            self._writer.add_document(tantivy.Document(**place))
            self._writer.commit()
            self._searcher, self._progress = self._reloaded(), progress

    def empty(self) -> None:
        """Take everything out; findable until the next commit."""
        with self._lock:
            self._writer.delete_all_documents()

    def close(self) -> None:
        """Let go of the files; what was not committed is lost, as in a crash."""
        with self._lock:
            self._writer.rollback()
            self._writer.wait_merging_threads()

    def frequencies(self, terms: Sequence[tuple[str, str]]) -> list[int]:
        """How many tweets hold each term (field, value)."""
        searcher = self._searcher
        return [searcher.doc_freq(field, value) for field, value in terms]

    def cost(self, tree: Node) -> int:
        """About how many postings a search looks at, or could in its time."""
        return self._postings(tree) * (CANDIDATE if has_circles(tree) else 1)

    def _postings(self, tree: Node) -> int:
        match tree:
            case And(children):
                return min(map(self._postings, children))
            case Or(children):
                return sum(map(self._postings, children))
            case Term(field, value) if field != FROM:
                return self._searcher.doc_freq(field, value)
            case Phrase(values):
                return 2 * min(self._searcher.doc_freq(TEXT, value) for value in values)
        return self._searcher.num_docs

    def hashtags(self, prefix: str, limit: int) -> list[tuple[str, int]]:
        """The most used hashtags that start with something, and how many tweets hold them."""
        return self._searcher.terms_with_prefix("hashtag", prefix, limit=limit)

    def search(self, question: Question) -> Answer:
        """The answer to a question."""
        searcher, searched_to = self._searcher, 0
        if has_circles(question.tree):
            sieve = Sieve(searcher, self._schema, question.tree)
            found, searched_to = sieve.newest(question.limit, question.before)
            query = ids_among(found, self._schema)
        else:
            query = Queries(self._schema).of(question.tree)
            if question.before:
                query = both(query, ids_between(0, question.before, self._schema))
            found = newest(searcher, query, question.limit)
        if not question.weights or not found:
            return Answer([Hit(tweet_id, 0.0) for tweet_id in found], searched_to)
        return Answer(self._scored(searcher, query, question, found), searched_to)

    def _scored(
        self,
        searcher: tantivy.Searcher,
        query: tantivy.Query,
        question: Question,
        found: Mapping[int, tantivy.DocAddress],
    ) -> list[Hit]:
        addresses = list(found.values())
        lengths = searcher.fast_field_values(LENGTH, addresses)
        reactions = searcher.fast_field_values(REACTIONS, addresses)
        weights = self._matched_weights(searcher, query, question, found)
        return [
            Hit(
                tweet_id,
                score(
                    text_score(weights[tweet_id], int(length or 0)),
                    question.now_ms - unix_ms_of(tweet_id),
                    int(reacted or 0),
                ),
            )
            for tweet_id, length, reacted in zip(found, lengths, reactions, strict=True)
        ]

    def _matched_weights(
        self,
        searcher: tantivy.Searcher,
        query: tantivy.Query,
        question: Question,
        found: Iterable[int],
    ) -> dict[int, float]:
        """What the terms that each tweet holds weigh; of alternatives it may hold any."""
        assert question.weights is not None
        leaves = scoring_leaves(question.tree)
        always = sum(weight_of_leaf(leaf, question.weights) for leaf in leaves if leaf.required)
        weights = dict.fromkeys(found, always)
        for leaf in [leaf for leaf in leaves if not leaf.required][:MAX_OPTIONAL]:
            self._add_weight(searcher, query, question, leaf, weights)
        return weights

    def _add_weight(
        self,
        searcher: tantivy.Searcher,
        query: tantivy.Query,
        question: Question,
        leaf: Leaf,
        weights: dict[int, float],
    ) -> None:
        assert question.weights is not None
        worth = weight_of_leaf(leaf, question.weights)
        # The newest that match and hold this one: all of `weights` that hold it are among them.
        held = both(query, Queries(self._schema).of(leaf.node))
        for tweet_id in newest(searcher, held, question.limit):
            if tweet_id in weights:
                weights[tweet_id] += worth


def _opened(folder: Path, wanted: tantivy.Schema) -> tantivy.Index:
    """The index in a folder; one that is older, or cannot be read, is moved away for a new one."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return tantivy.Index(wanted, path=str(folder))
    except (ValueError, OSError) as error:
        aside = folder.with_name(f"{folder.name}.broken-{int(time.time())}")
        log.warning(
            "index is older or cannot be read, begun anew", why=str(error), moved_to=str(aside)
        )
        shutil.move(folder, aside)
        folder.mkdir(parents=True)
        return tantivy.Index(wanted, path=str(folder))
