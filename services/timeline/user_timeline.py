"""Pages of what one user wrote, and of what mentions one, from Tweet's SQL.

The page's token is Tweet's own: it knows how far it looked, where a page may be short or empty.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from aviary.graph.v1.visibility_pb2 import Surface
from aviary.tweet.v1.tweet_service_pb2 import ListUserTweetsRequest, TweetIdPage
from clients.tweet import author_id_of
from services.chassis.batching import Batcher
from services.chassis.errors import PageTokenError
from services.chassis.tweet_page import Engaged
from services.chassis.visibility import VISIBLE, Subject, UserNotFoundError, Visibility

from .hydrate import Content, Hydrator, content_of


class TweetPage(Protocol):
    """A page of tweets."""

    @property
    def tweets(self) -> dict[int, bytes]:
        """Serialized tweets by id, newest first."""

    @property
    def next_page_token(self) -> str:
        """Empty at the end."""


class TweetLists(Protocol):
    """The Tweet service's lists; `clients.tweet.TweetClient` has them."""

    async def list_user_tweet_ids(
        self, lists: Sequence[ListUserTweetsRequest]
    ) -> Sequence[TweetIdPage]:
        """Ids of pages of up to 64 authors' tweets, in the order asked."""

    async def list_mentions(
        self,
        user_id: int,
        *,
        page_size: int = 0,
        page_token: str = "",
        since_id: int = 0,
        max_id: int = 0,
    ) -> TweetPage:
        """A page of the tweets that mention a user; PAGE_TOKEN_INVALID."""


class Wanted(NamedTuple):
    """Whose list, and which part of it."""

    user_id: int
    page_size: int
    page_token: str
    since_id: int
    max_id: int


class ListedPage(NamedTuple):
    """Frames of tweets and users, the viewer's part, and the next page's token (empty: none)."""

    tweets: list[bytes]
    users: list[bytes]
    engaged: Engaged
    next_page_token: str


class UserTimelines:
    """Reads pages of user and mention timelines, as far as a viewer (0: nobody known) may see."""

    def __init__(self, tweets: TweetLists, hydrator: Hydrator, visibility: Visibility) -> None:
        self._tweets = tweets
        self._ids: Batcher[ListUserTweetsRequest, TweetIdPage] = Batcher(
            "user timelines", tweets.list_user_tweet_ids, max_batch=64, max_waiting=4_000
        )
        self._hydrator = hydrator
        self._visibility = visibility

    async def page(
        self, viewer: int, wanted: Wanted, *, replies: bool, retweets: bool, only_media: bool
    ) -> ListedPage:
        """A page of a user's own tweets; raises USER_NOT_FOUND, USER_NOT_VISIBLE."""
        owner = await self._owner(wanted.user_id)
        await self._visibility.check_profile(viewer, wanted.user_id)
        found = await self._ids.submit(
            ListUserTweetsRequest(
                **wanted._asdict(),
                include_replies=replies,
                include_retweets=retweets,
                only_media=only_media,
                newest=viewer == wanted.user_id,
            )
        )
        if found.page_token_invalid:
            raise PageTokenError
        tweets = await self._hydrator.tweets(found.tweet_ids)
        contents = {
            tweet_id: content
            for tweet_id, content in zip(found.tweet_ids, tweets, strict=True)
            if content is not None and content.frame
        }
        retweeted = {
            tweet_id: Subject(content.original_user_id, wanted.user_id)
            for tweet_id, content in contents.items()
            if content.original_user_id
        }
        shown = await self._shown(viewer, Surface.SURFACE_USER_TIMELINE, retweeted)
        contents = {i: c for i, c in contents.items() if i not in retweeted or i in shown}
        others = dict.fromkeys(c.original_user_id for c in contents.values() if c.original_user_id)
        others.pop(wanted.user_id, None)
        users = [owner, *await self._hydrator.users(others)] if contents else []
        return await self._page(viewer, contents, users, found.next_page_token)

    async def mentions(self, viewer: int, wanted: Wanted) -> ListedPage:
        """A page of the tweets that mention a user; raises USER_NOT_FOUND."""
        await self._owner(wanted.user_id)
        found = await self._tweets.list_mentions(**wanted._asdict())
        authors = {i: Subject(author_id_of(tweet)) for i, tweet in found.tweets.items()}
        shown = await self._shown(viewer, Surface.SURFACE_CONVERSATION, authors)
        contents = {i: content_of(found.tweets[i]) for i in authors if i in shown}
        writers = dict.fromkeys(authors[i].author_user_id for i in contents)
        users = await self._hydrator.users(writers) if contents else []
        return await self._page(viewer, contents, users, found.next_page_token)

    async def _page(
        self, viewer: int, contents: Mapping[int, Content], users: list[bytes], token: str
    ) -> ListedPage:
        engaged = await self._hydrator.engaged(viewer, contents)
        return ListedPage([c.frame for c in contents.values()], users, engaged, token)

    async def _owner(self, user_id: int) -> bytes:
        owner = await self._hydrator.users([user_id])
        if not owner:
            raise UserNotFoundError(user_id=user_id)
        return owner[0]

    async def _shown(
        self, viewer: int, surface: Surface, subjects: Mapping[int, Subject]
    ) -> set[int]:
        """Those of some tweets that the viewer may see."""
        if not subjects:
            return set()
        rules = await self._visibility.rules(viewer, surface, dict.fromkeys(subjects.values()))
        return {tweet_id for tweet_id, subject in subjects.items() if rules[subject] == VISIBLE}
