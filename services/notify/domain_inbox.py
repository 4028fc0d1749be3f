"""What an inbox is: occurrences, the entries that they make, and who is told of what."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

LATEST = 3
"""Actors that an entry names."""
DAY_MS = 86_400_000


class Kind(IntEnum):
    """What happened; the contract's numbers."""

    FOLLOW = 1
    FOLLOW_REQUEST = 2
    MENTION = 3
    REPLY = 4
    FAVORITE = 5
    RETWEET = 6
    QUOTE = 7
    TWEET = 8
    MESSAGE = 9


RENEWED = {Kind.MESSAGE}
"""What the same actor does again is news; of all else only the first time counts."""


class Key(NamedTuple):
    """An entry: one kind of thing that happened to one object of a user's."""

    user_id: int
    kind: Kind
    object_id: int


class Change(NamedTuple):
    """Somebody did something, or took it back; event ids order what one actor says of one object.

    The object of follows is the day, so that an entry gathers those of a day; of likes and retweets
    the tweet that was liked; else the new tweet, or the conversation.
    """

    key: Key
    actor_id: int
    event_id: int
    alive: bool = True
    tweet_id: int = 0


class Occurrence(NamedTuple):
    """What is known of one actor and one entry."""

    notification_id: int
    event_id: int
    alive: bool


class Entry(NamedTuple):
    """An entry as it is kept."""

    notification_id: int
    tweet_id: int
    actor_count: int
    latest_actors: tuple[int, ...]
    gone: bool


NEW = Entry(0, 0, 0, (), gone=False)


class Applied(NamedTuple):
    """What changes: occurrences by entry and actor, entries, and those that became unread."""

    occurrences: dict[tuple[Key, int], Occurrence]
    entries: dict[Key, Entry]
    recount: set[Key]
    """Entries whose newest occurrence was taken back: what they name must be looked up."""


def apply(
    changes: Iterable[Change],
    occurrences: Mapping[tuple[Key, int], Occurrence],
    entries: Mapping[Key, Entry],
) -> Applied:
    """Apply changes in the order of their events to what is known; what is old changes nothing."""
    made: dict[tuple[Key, int], Occurrence] = {}
    changed: dict[Key, Entry] = {}
    recount: set[Key] = set()
    for change in sorted(changes, key=lambda c: c.event_id):
        known_as = (change.key, change.actor_id)
        before = made.get(known_as) or occurrences.get(known_as)
        if before is not None and change.event_id <= before.event_id:
            continue
        made[known_as] = Occurrence(change.event_id, change.event_id, change.alive)
        was_alive = before is not None and before.alive
        if was_alive and change.alive and change.key.kind in RENEWED:
            entry = changed.get(change.key) or entries.get(change.key, NEW)
            changed[change.key] = _with(entry, change)._replace(actor_count=entry.actor_count)
            continue
        if was_alive == change.alive:
            if change.alive:
                made[known_as] = before._replace(event_id=change.event_id)  # type: ignore[union-attr]
            continue
        entry = changed.get(change.key) or entries.get(change.key, NEW)
        if change.alive:
            changed[change.key] = _with(entry, change)
        else:
            changed[change.key] = entry._replace(actor_count=entry.actor_count - 1)
            recount.add(change.key)
    return Applied(made, changed, recount)


def _with(entry: Entry, change: Change) -> Entry:
    latest = (change.actor_id, *(a for a in entry.latest_actors if a != change.actor_id))
    return Entry(
        max(entry.notification_id, change.event_id),
        change.tweet_id or entry.tweet_id,
        entry.actor_count + 1,
        latest[:LATEST],
        gone=False,
    )


def day_of(unix_ms: int) -> int:
    """The day that gathers follows; it starts at midnight UTC."""
    return unix_ms // DAY_MS


def becomes_unread(before: Entry, after: Entry, read_up_to: int) -> bool:
    """Whether somebody is to be told: an entry that was read, gone or not there is not any more."""
    if after.gone or after.notification_id <= read_up_to:
        return False
    was_unread = before.actor_count > 0 and not before.gone and before.notification_id > read_up_to
    return not was_unread
