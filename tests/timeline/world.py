"""Tweet and Graph in memory: what the Timeline service asks, and the truth about every timeline."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aviary.events.v1.event_pb2 import Event
from aviary.events.v1.payload_pb2 import TweetCreated, UserFollowed, UserUnfollowed
from aviary.graph.v1 import visibility_pb2 as pb
from aviary.graph.v1.graph_service_pb2 import ViewerRules
from aviary.graph.v1.user_pb2 import User
from aviary.graph.v1.visibility_pb2 import VisibilityRule, VisibilitySubject, VisibilityVerdict
from aviary.tweet.v1.tweet_pb2 import Tweet
from aviary.tweet.v1.viewer_pb2 import RecentViewer, Viewer
from clients.wire import frame, tag_of
from services.chassis.snowflake import id_at, wall_clock_ms
from services.timeline import domain
from services.timeline.pushing import flags_of
from services.timeline.sources import MAX_ROWS

from .world_lists import Listed


class Followers(NamedTuple):
    follower_ids: bytes
    followers_count: int
    next_after_user_id: int


class World(Listed):
    """Implements TweetSource and GraphSource; counts the calls; `pause` makes SQL slow."""

    def __init__(self) -> None:
        super().__init__()
        self.users: set[int] = set()
        self.follows: set[tuple[int, int]] = set()
        self.hidden: set[tuple[int, int]] = set()
        """(viewer, author): blocked either way, or muted."""
        self.blocks: set[tuple[int, int]] = set()
        """(who blocks, whom); add both directions to `hidden`, too."""
        self.no_retweets: set[tuple[int, int]] = set()
        self.protected: set[int] = set()
        self.favorites: set[tuple[int, int]] = set()
        """(user, tweet)."""
        self.surfaces: set[int] = set()
        """On which visibility was asked about."""
        self._made = 0

    def user(self, *user_ids: int) -> None:
        self.users.update(user_ids)

    def follow(self, user_id: int, *targets: int) -> None:
        self.user(user_id, *targets)
        self.follows.update((user_id, target) for target in targets)

    def post(self, author: int, *, at_ms: int = 0, **fields: Any) -> Tweet:
        """A tweet made at that moment, now by default; ids of one moment ascend."""
        self.user(author)
        self._made = (self._made + 1) % (1 << 22)
        tweet_id = id_at(at_ms or wall_clock_ms()) + self._made
        tweet = Tweet(tweet_id=tweet_id, user_id=author, status=f"tweet {tweet_id}", **fields)
        self.tweets[tweet_id] = tweet
        return tweet

    def truth(self, viewer: int, *, since: int = 0, replies: str = "following") -> list[int]:
        """The ids of a user's whole home timeline."""
        return sorted(
            (
                tweet.tweet_id
                for tweet in self.tweets.values()
                if tweet.tweet_id > since and self._belongs(tweet, viewer, replies)
            ),
            reverse=True,
        )

    def _belongs(self, tweet: Tweet, viewer: int, replies: str) -> bool:
        followed = {target for user, target in self.follows if user == viewer}
        author, original = tweet.user_id, tweet.retweeted_status.user_id
        if author not in followed | {viewer}:
            return False
        if {(viewer, author), (viewer, original)} & self.hidden:
            return False
        if original:
            closed = original in self.protected and original not in followed | {viewer}
            if closed or (viewer, author) in self.no_retweets:
                return False
        if not tweet.in_reply_to_user_id or replies == "all":
            return True
        return replies == "following" and tweet.in_reply_to_user_id in followed | {viewer, author}

    async def batch_get_raw(self, tweet_ids: Iterable[int]) -> dict[int, bytes]:
        await self._called("batch_get")
        return {i: self.tweets[i].SerializeToString() for i in tweet_ids if i in self.tweets}

    async def batch_get_viewers(self, user_ids: Iterable[int]) -> dict[int, RecentViewer]:
        await self._called("viewers")
        return {
            user_id: RecentViewer(
                user_id=user_id, viewer=await self.get_viewer(user_id, list(self.tweets))
            )
            for user_id in user_ids
        }

    async def get_viewer(self, user_id: int, tweet_ids: Sequence[int]) -> Viewer:
        wanted = [tweet_id for tweet_id in tweet_ids if (user_id, tweet_id) in self.favorites]
        return Viewer(favorited_tweet_ids=wanted)

    async def recent_by_authors(
        self, author_ids: Sequence[int], limit: int, max_id: int = 0, since_id: int = 0
    ) -> bytes:
        await self._called("recent")
        authors = set(author_ids)
        rows = sorted(
            (
                domain.pack(tweet.tweet_id, tweet.user_id, flags_of(tweet))
                for tweet in self.tweets.values()
                if tweet.user_id in authors
                and tweet.tweet_id > since_id
                and (not max_id or tweet.tweet_id <= max_id)
            ),
            reverse=True,
        )
        return b"".join(rows[: min(limit, MAX_ROWS)])

    async def batch_get_users_raw(
        self, user_ids: Iterable[int], *, field: int = 1
    ) -> dict[int, bytes]:
        await self._called("users")
        return {
            i: frame(
                tag_of(field),
                User(
                    user_id=i, user_name=f"u{i}", protected=i in self.protected
                ).SerializeToString(),
            )
            for i in user_ids
            if i in self.users
        }

    async def viewer_rules(
        self, user_ids: Iterable[int], *, surface: int, mutual: bool = False
    ) -> dict[int, ViewerRules]:
        await self._called("rules")
        assert surface == pb.SURFACE_HOME_TIMELINE
        return {viewer: self._rules(viewer) for viewer in user_ids}

    async def check_visibility(
        self, viewer_user_id: int, surface: int, subjects: Sequence[VisibilitySubject]
    ) -> list[VisibilityVerdict]:
        """What Graph's engine says; who blocks whom is in `blocks`."""
        await self._called("visibility")
        self.surfaces.add(surface)
        rules = [
            self._rule_of(subject.viewer_user_id or viewer_user_id, surface, subject)
            for subject in subjects
        ]
        return [VisibilityVerdict(visible=not rule, rule=rule) for rule in rules]

    def _rule_of(self, viewer: int, surface: int, subject: VisibilitySubject) -> VisibilityRule:
        followed = {target for user, target in self.follows if user == viewer}
        retweeter, answered = subject.retweeter_user_id, subject.in_reply_to_user_id
        for author in {subject.author_user_id, retweeter} - {0, viewer}:
            if (author, viewer) in self.blocks:
                return pb.VISIBILITY_RULE_BLOCKED_BY_AUTHOR
            if (viewer, author) in self.blocks:
                return pb.VISIBILITY_RULE_AUTHOR_BLOCKED
            if (viewer, author) in self.hidden and surface != pb.SURFACE_USER_TIMELINE:
                return pb.VISIBILITY_RULE_AUTHOR_MUTED
            if author in self.protected and author not in followed:
                return pb.VISIBILITY_RULE_AUTHOR_PROTECTED
        if surface != pb.SURFACE_HOME_TIMELINE:
            return pb.VISIBILITY_RULE_UNSPECIFIED
        if retweeter and (viewer, retweeter) in self.no_retweets:
            return pb.VISIBILITY_RULE_RETWEETS_HIDDEN
        if answered and answered not in followed | {viewer, subject.author_user_id}:
            return pb.VISIBILITY_RULE_REPLY_TO_STRANGER
        return pb.VISIBILITY_RULE_UNSPECIFIED

    def _rules(self, viewer: int) -> ViewerRules:
        followed = {target for user, target in self.follows if user == viewer}
        return ViewerRules(
            user_id=viewer,
            following_ids=packed(followed),
            hidden_ids=packed(author for user, author in self.hidden if user == viewer),
            hidden_retweeter_ids=packed(
                author for user, author in self.no_retweets if user == viewer
            ),
            mutual_ids=packed(target for target in followed if (target, viewer) in self.follows),
        )

    async def following_ids(self, user_id: int) -> bytes:
        await self._called("following")
        return packed(target for user, target in self.follows if user == user_id)

    async def follower_pages(
        self, after: Mapping[int, int], *, limit: int = 0, maximum_followers_count: int = 0
    ) -> dict[int, Followers]:
        await self._called("followers")
        found = {}
        for target, behind in after.items():
            everybody = [user for user, followed in self.follows if followed == target]
            ids = sorted(user for user in everybody if user > behind)
            if maximum_followers_count and len(everybody) > maximum_followers_count:
                found[target] = Followers(b"", len(everybody), 0)
                continue
            page = ids[: limit or len(ids)]
            last = page[-1] if len(page) < len(ids) else 0
            found[target] = Followers(packed(page), len(everybody), last)
        return found


def packed(user_ids: Iterable[int]) -> bytes:
    """Ids as Graph answers them."""
    ids = sorted(user_ids)
    return struct.pack(f">{len(ids)}q", *ids)


def created(*tweets: Tweet) -> list[Event]:
    """The events of tweets that became durable."""
    return [
        Event(kind="TweetCreated", payload=TweetCreated(tweet=tweet).SerializeToString())
        for tweet in tweets
    ]


def followed(user_id: int, target: int) -> Event:
    payload = UserFollowed(user_id=user_id, target_user_id=target)
    return Event(kind="UserFollowed", payload=payload.SerializeToString())


def unfollowed(user_id: int, target: int) -> Event:
    payload = UserUnfollowed(user_id=user_id, target_user_id=target)
    return Event(kind="UserUnfollowed", payload=payload.SerializeToString())
