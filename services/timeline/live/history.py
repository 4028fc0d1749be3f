"""The last minutes of Tweet's log in memory, so that a stream resumes from where it was cut.

A record is 41 bytes that sort as the log does. 100,000 of them take 8 MB.
"""

import struct
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from clients.tail import Position

MAX_RECORDS = 100_000
KEEP_SECONDS = 300.0
SCAN_RECORDS = 2_000
"""Looked at in one go: about 1 ms."""
_FIELDS = struct.Struct(">qqqqqB")
_POSITION = struct.Struct(">qq")
_PAST_ALL = b"\xff" * _FIELDS.size
_TRIM_SHARE = 16
"""What is too old is cut off when it is this part of all, because cutting moves the rest."""


class Record(NamedTuple):
    """A tweet that was made or deleted; `user_id` is its author's, of a retweet the retweeter's."""

    xid: int
    seq: int
    tweet_id: int
    user_id: int
    time_ms: int
    deleted: int

    @property
    def position(self) -> Position:
        """Its place in the log."""
        return Position(self.xid, self.seq)


class History:
    """Records in the log's order, bounded in number and in age."""

    def __init__(
        self,
        *,
        max_records: int = MAX_RECORDS,
        seconds: float = KEEP_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._max_records = max_records
        self._keep_ms = int(seconds * 1000)
        self._clock = clock
        self._records: list[bytes] = []
        self.position = Position(0, 0)
        """The position up to which everything is known."""
        self.since = Position(0, 0)
        """The position behind which everything is still known."""
        self.deleted: set[int] = set()
        """Tweets of which the delete has been seen: whatever says that they are there is old."""

    def __len__(self) -> int:
        return len(self._records)

    def restart(self, since: Position) -> None:
        """Forget everything: what follows begins behind this position."""
        self._records.clear()
        self.deleted.clear()
        self.since = self.position = since

    def add(self, records: Iterable[Record], position: Position) -> None:
        """Append records in the log's order; everything up to `position` is known with them."""
        self._records += [_FIELDS.pack(*record) for record in records]
        self.position = position
        self._trim()

    def holds(self, position: Position) -> bool:
        """Whether everything behind this position is known."""
        return position >= self.since

    def after(self, position: Position, authors: Collection[int]) -> tuple[list[Record], Position]:
        """What these authors did behind a position, and up to where that is all there is.

        A bounded number of records is looked at: ask again from the position that is answered,
        until it is the last. The position must be one that `holds` accepts.
        """
        start = bisect_right(self._records, _POSITION.pack(*position) + _PAST_ALL)
        scanned = self._records[start : start + SCAN_RECORDS]
        records = [Record(*_FIELDS.unpack(packed)) for packed in scanned]
        ended = start + SCAN_RECORDS >= len(self._records)
        reached = self.position if ended else records[-1].position
        return [record for record in records if record.user_id in authors], reached

    def _trim(self) -> None:
        records, oldest = self._records, int(self._clock() * 1000) - self._keep_ms
        surplus = max(0, len(records) - self._max_records)
        while surplus < len(records) and Record(*_FIELDS.unpack(records[surplus])).time_ms < oldest:
            surplus += 1
        if surplus <= len(records) // _TRIM_SHARE:
            return
        for packed in records[:surplus]:
            gone = Record(*_FIELDS.unpack(packed))
            self.since = gone.position
            if gone.deleted:
                self.deleted.discard(gone.tweet_id)
        del records[:surplus]
