"""Events of Tweet's and Graph's logs as changes of inboxes: who is told of what."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aviary.events.v1 import payload_pb2
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.events import Event

from .domain_inbox import Change, Key, Kind, day_of

IMPORTED_MS = 3_600_000
"""A tweet so much older than its event was imported: nobody is told of what was long ago."""


class Barred(NamedTuple):
    """A user blocked or muted another: nothing of theirs stays."""

    user_id: int
    actor_id: int
    event_id: int


class Read(NamedTuple):
    """What a batch of events says."""

    changes: list[Change]
    posted: list[Change]
    """A change for each tweet whose followers may want to be told; its user is not filled in."""
    gone: set[int]
    barred: list[Barred]


def read(events: Sequence[Event]) -> Read:
    """What a batch of either log says; kinds that concern no inbox are passed over."""
    found = Read([], [], set(), [])
    for event in events:
        if event.kind == "TweetCreated":
            tweet = payload_pb2.TweetCreated.FromString(event.payload).tweet
            if not _is_imported(tweet, event):
                found.changes.extend(_of_tweet(tweet, event.event_id))
                found.posted.extend(_posted(tweet, event.event_id))
        elif event.kind == "TweetDeleted":
            deleted = payload_pb2.TweetDeleted.FromString(event.payload)
            found.gone.add(deleted.tweet_id)
            found.changes.extend(_taken_back(deleted, event.event_id))
        elif event.kind == "MediaTagRemoved":
            removed = payload_pb2.MediaTagRemoved.FromString(event.payload)
            found.changes.extend(_untagged(removed, event.event_id))
        else:
            found.changes.extend(_of_relation(event))
            if event.kind in ("UserBlocked", "UserMuted"):
                found.barred.append(_barred(event))
    return found


def _of_tweet(tweet: Tweet, event_id: int) -> Iterator[Change]:
    """Whoever a tweet is about, each told once, for the nearest reason."""
    author, original = tweet.user_id, tweet.retweeted_status
    if tweet.HasField("retweeted_status"):
        if original.user_id != author:
            key = Key(original.user_id, Kind.RETWEET, original.tweet_id)
            yield Change(key, author, event_id, tweet_id=original.tweet_id)
        return
    told = {author, 0}
    reasons = [
        (Kind.REPLY, tweet.in_reply_to_user_id),
        (Kind.QUOTE, tweet.quote_user_id),
        *((Kind.MENTION, mention.user_id) for mention in tweet.entities.user_mentions),
        *((Kind.MENTION, tag.user_id) for tag in tweet.entities.media_tags),
    ]
    for kind, user_id in reasons:
        if user_id not in told:
            told.add(user_id)
            key = Key(user_id, kind, tweet.tweet_id)
            yield Change(key, author, event_id, tweet_id=tweet.tweet_id)


def _posted(tweet: Tweet, event_id: int) -> Iterator[Change]:
    """A tweet of which followers may want to be told: no retweet, and no reply to somebody else."""
    answers = tweet.in_reply_to_user_id not in (0, tweet.user_id)
    if not (tweet.HasField("retweeted_status") or answers):
        key = Key(0, Kind.TWEET, tweet.tweet_id)
        yield Change(key, tweet.user_id, event_id, tweet_id=tweet.tweet_id)


def _of_relation(event: Event) -> Iterator[Change]:
    """Likes, follows and requests, made and taken back."""
    if event.kind in ("TweetFavorited", "TweetUnfavorited"):
        like = payload_pb2.TweetFavorited.FromString(event.payload)  # both have the same fields
        if like.user_id != like.author_user_id:
            key = Key(like.author_user_id, Kind.FAVORITE, like.tweet_id)
            alive = event.kind == "TweetFavorited"
            yield Change(key, like.user_id, event.event_id, alive, like.tweet_id)
    elif event.kind in ("UserFollowed", "FollowRequested"):
        follow = payload_pb2.UserFollowed.FromString(event.payload)  # both have the same fields
        kind = Kind.FOLLOW if event.kind == "UserFollowed" else Kind.FOLLOW_REQUEST
        day = day_of(event.create_time.ToMilliseconds())
        yield Change(Key(follow.target_user_id, kind, day), follow.user_id, event.event_id)


def _taken_back(deleted: payload_pb2.TweetDeleted, event_id: int) -> Iterator[Change]:
    """A retweet taken back. A follow that ended stays in the inbox: it did happen."""
    if deleted.retweeted_tweet_id:
        # Whose tweet it was is not in the event: the entry is found by its object.
        key = Key(0, Kind.RETWEET, deleted.retweeted_tweet_id)
        yield Change(key, deleted.user_id, event_id, alive=False)


def _untagged(removed: payload_pb2.MediaTagRemoved, event_id: int) -> Iterator[Change]:
    """A tag that its user took off, unless the text mentions the user too."""
    if not removed.mentioned:
        key = Key(removed.user_id, Kind.MENTION, removed.tweet_id)
        yield Change(key, removed.author_user_id, event_id, alive=False)


def _barred(event: Event) -> Barred:
    pair = payload_pb2.UserBlocked.FromString(event.payload)  # mutes have the same fields
    return Barred(pair.user_id, pair.target_user_id, event.event_id)


def _is_imported(tweet: Tweet, event: Event) -> bool:
    made = tweet.create_time.ToMilliseconds()
    return event.create_time.ToMilliseconds() - made > IMPORTED_MS
