"""Which tweets a caller may see, and which ones may be answered or quoted."""

import asyncio
from collections.abc import Iterable, Mapping

import structlog

from aviary.graph.v1.visibility_pb2 import Surface, VisibilityRule
from clients.tweet import author_id_of, original_of
from services.chassis.call import EDGE, Call
from services.chassis.errors import OverloadedError, UnavailableError
from services.chassis.visibility import VISIBLE, Subject, Visibility

from .domain import Target
from .errors import (
    BlockedError,
    QuoteTargetNotFoundError,
    ReplyTargetNotFoundError,
    TweetNotFoundError,
)

TIMEOUT = 0.5
"""Seconds that a post waits for Graph at most."""
BLOCKED = (
    VisibilityRule.VISIBILITY_RULE_BLOCKED_BY_AUTHOR,
    VisibilityRule.VISIBILITY_RULE_AUTHOR_BLOCKED,
)
log = structlog.get_logger()


class TweetVisibility:
    """The rules of single tweets, asked of Graph."""

    def __init__(self, visibility: Visibility) -> None:
        self._visibility = visibility

    @property
    def authors(self) -> Visibility:
        """The rules of what is no tweet, by its author."""
        return self._visibility

    async def shown(
        self,
        call: Call,
        tweets: Mapping[int, bytes],
        surface: Surface = Surface.SURFACE_TWEET,
    ) -> Mapping[int, bytes]:
        """Those of some serialized tweets that the caller may see; another service sees all.

        A service reads tweets to put them into what it answers, and has rules of its own for that:
        only a call straight from the edge is judged here.
        """
        if EDGE not in call.headers or not tweets:
            return tweets
        subjects = {tweet_id: subject_of(tweet) for tweet_id, tweet in tweets.items()}
        rules = await self._visibility.rules(
            call.caller.user_id, surface, dict.fromkeys(subjects.values())
        )
        return {i: tweets[i] for i, subject in subjects.items() if rules[subject] == VISIBLE}

    async def check_profile(self, call: Call, user_id: int) -> None:
        """Refuse who may not see what a user did: USER_NOT_FOUND, USER_NOT_VISIBLE."""
        if EDGE in call.headers and call.caller.user_id != user_id:
            await self._visibility.check_profile(call.caller.user_id, user_id)

    async def check_engaged(self, user_id: int, target: Target) -> None:
        """Refuse to favourite or retweet what the user may not see: BLOCKED, TWEET_NOT_FOUND."""
        rule = (await self._rules(user_id, [target])).get(target.author_id)
        if rule in BLOCKED:
            raise BlockedError(user_id=user_id, target_user_id=target.author_id)
        if rule:
            raise TweetNotFoundError(tweet_id=target.tweet_id)

    async def check_targets(self, user_id: int, reply: Target, quote: Target) -> None:
        """Refuse to answer or quote what the user may not see.

        Raises BLOCKED, REPLY_TARGET_NOT_FOUND, QUOTE_TARGET_NOT_FOUND.
        """
        hidden = await self._rules(user_id, (reply, quote))
        for target in (reply, quote):
            if hidden.get(target.author_id) in BLOCKED:
                raise BlockedError(user_id=user_id, target_user_id=target.author_id)
        if reply.author_id in hidden:
            raise ReplyTargetNotFoundError(field="in_reply_to_tweet_id", tweet_id=reply.tweet_id)
        if quote.author_id in hidden:
            raise QuoteTargetNotFoundError(field="quote_tweet_id", tweet_id=quote.tweet_id)

    async def blocked(self, user_id: int, others: Iterable[int]) -> set[int]:
        """Those of some others whom the user blocked, or who blocked the user.

        Raises UNAVAILABLE where Graph is away and nothing is known of one of them.
        """
        asked, subject = [other for other in others if other != user_id], Subject(user_id)
        rules = await asyncio.gather(
            *(self._visibility.rules(o, Surface.SURFACE_TWEET, [subject]) for o in asked)
        )
        return {o for o, rule in zip(asked, rules, strict=True) if rule[subject] in BLOCKED}

    async def _rules(self, user_id: int, targets: Iterable[Target]) -> dict[int, VisibilityRule]:
        """What hides these targets' authors from a user, if anything does.

        Writing goes on without Graph, and does not wait long for it: then nothing is refused.
        """
        authors = {target.author_id for target in targets} - {0, user_id}
        if not authors:
            return {}
        try:
            async with asyncio.timeout(TIMEOUT):
                rules = await self._visibility.rules(
                    user_id, Surface.SURFACE_TWEET, [Subject(author) for author in sorted(authors)]
                )
        except (UnavailableError, OverloadedError, TimeoutError) as error:
            log.warning("written without asking for blocks", why=str(error) or "no answer in time")
            return {}
        return {subject.author_user_id: rule for subject, rule in rules.items() if rule}


def subject_of(tweet: bytes) -> Subject:
    """Whom the rules ask about for a serialized tweet."""
    author, original = author_id_of(tweet), original_of(tweet).user_id
    return Subject(original, author) if original else Subject(author)
