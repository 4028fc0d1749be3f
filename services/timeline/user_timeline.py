"""A page of a user's own tweets, from Tweet's SQL, with the users who appear in it."""

from .domain import NOTHING_PROVEN, Span
from .errors import UserNotFoundError
from .home import Page
from .hydrate import Hydrator, content_of
from .sources import TweetSource


class UserTimelines:
    """Reads pages of user timelines."""

    def __init__(self, tweets: TweetSource, hydrator: Hydrator) -> None:
        self._tweets = tweets
        self._hydrator = hydrator

    async def page(self, user_id: int, span: Span, *, replies: bool) -> Page:
        """The newest part of a span; raises USER_NOT_FOUND."""
        owner = await self._hydrator.users([user_id])
        if not owner:
            raise UserNotFoundError(user_id=user_id)
        found = await self._tweets.list_user_tweets(
            user_id,
            page_size=span.limit,
            since_id=span.after,
            max_id=span.before - 1 if span.before < NOTHING_PROVEN else 0,
            include_replies=replies,
        )
        contents = [content_of(tweet) for tweet in found.tweets.values()]
        others = dict.fromkeys(c.original_user_id for c in contents if c.original_user_id)
        others.pop(user_id, None)
        users = owner + await self._hydrator.users(others) if contents else []
        last = min(found.tweets) if found.next_page_token and found.tweets else 0
        return Page([content.frame for content in contents], users, last)
