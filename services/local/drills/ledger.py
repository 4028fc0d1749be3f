"""The ledger: every write that was answered, in a file, to be compared with what is there later."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """A write: a post (`what` is its tweet's id) or a follow (`what` is the target's id)."""

    kind: str
    user_id: int
    what: int
    key: str
    """Its idempotency key, which is the text of a post, too."""
    answered: float
    """Unix time of the answer."""


class Ledger:
    """Answered writes, and those whose outcome nobody knows."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("w")
        self.answered: list[Entry] = []
        self.unknown: list[tuple[int, str]] = []
        """Users and keys of posts that failed: done or not, but never twice."""

    def note(self, kind: str, user_id: int, what: int, key: str) -> None:
        """Note an answered write; it is in the file before the next one is."""
        entry = Entry(kind, user_id, what, key, time.time())
        self.answered.append(entry)
        print(json.dumps(asdict(entry)), file=self._file, flush=True)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
