"""The postings of one shard, on disk by tantivy. Everything here blocks: call it in a thread.

How far the index has followed the log is a document of its own, written in the same commit as what
it follows from: after a crash the two cannot disagree.
"""

import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog
import tantivy

from clients.tail import Position

from ..domain_shards import Answer
from ..domain_tree import Node
from .entries import MARK, PLACE, TWEET_ID, Entry, document_of, schema, second_of
from .estimates import Estimate
from .newest import Spread
from .queries import ANY_ID, ids_between, newest
from .snapshot import Question, Snapshot
from .touched import Touched

HEAP_BYTES = 64 << 20
THE_MARK = "here"
SPREAD_SECONDS = 10.0
"""How long it is taken as known how many tweets a second brings."""
log = structlog.get_logger()


class Progress(NamedTuple):
    """How far an index has come: in the log, and whether all that was before is in it."""

    position: Position
    complete: bool


class ShardIndex:
    """One index. One thread writes at a time; any number may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._schema = schema()
        self._index = _opened(folder, self._schema)
        self._index.config_reader("manual", 0)
        self._writer = self._index.writer(HEAP_BYTES, 1)
        self._lock = threading.Lock()
        self.touched = Touched()
        """Which words were put in since when."""
        self._spread_at, self._spread_of = float("-inf"), 0
        self._searcher = self._reloaded()
        self._newest_id = self._read_newest_id()
        self._snapshot = self._taken()
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

    def _read_newest_id(self) -> int:
        every = ids_between(0, ANY_ID, self._schema)
        return next(iter(newest(self._searcher, every, 1)), 0)

    def apply(self, added: Iterable[Entry], deleted: Iterable[int]) -> None:
        """Put tweets in, in place of what was there of them, and take tweets out."""
        with self._lock:
            for entry in added:
                self._writer.delete_documents_by_term(TWEET_ID, entry.tweet_id)
                self._writer.add_document(document_of(entry))
                self._newest_id = max(self._newest_id, entry.tweet_id)
                self.touched.put(entry)
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
            self._snapshot = self._taken()
            self.touched.committed()

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

    def estimate(self, tree: Node) -> Estimate:
        """How many tweets match a tree."""
        return self._snapshot.estimate(tree)

    def hashtags(self, prefix: str, limit: int) -> list[tuple[str, int]]:
        """The most used hashtags that start with something, and how many tweets hold them."""
        return self._searcher.terms_with_prefix("hashtag", prefix, limit=limit)

    def search(self, question: Question, estimate: Estimate | None = None) -> Answer:
        """The answer to a question; `estimate` is that of its tree, where it is known."""
        snapshot = self._snapshot
        return snapshot.search(question, estimate or snapshot.estimate(question.tree))

    def _taken(self) -> Snapshot:
        """What is findable now."""
        late = time.monotonic() - self._spread_at > SPREAD_SECONDS
        if late or self._searcher.num_docs > 2 * self._spread_of:
            self._spread_of = self._searcher.num_docs
            self._spread = Spread(self._searcher, self._schema, second_of(self._newest_id))
            self._spread_at = time.monotonic()
        return Snapshot(self._searcher, self._schema, self._newest_id, self._spread)


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
