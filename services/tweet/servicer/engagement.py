"""Favourites and retweets: making them, taking them back, who made them."""

from collections.abc import Awaitable, Callable
from operator import attrgetter

from aviary.graph.v1.visibility_pb2 import Surface
from aviary.tweet.v1 import tweet_service_pb2 as pb
from clients.wire import FIRST, frame
from services.chassis.call import Call
from services.chassis.paging import cut_page, decode_key, encode_page_token, page_size_of

from ..errors import TweetNotFoundError
from ..favorites import Favorites
from ..pages import TweetPages
from ..retweets import Retweets
from ..store.engaged import EngagedStore, Listed
from ..targets import Targets
from ..visibility import TweetVisibility


class EngagementMethods:
    """FavoriteTweet to ListFavorites, Retweet to ListRetweeters."""

    def __init__(
        self,
        favorites: Favorites,
        retweets: Retweets,
        engaged: EngagedStore,
        targets: Targets,
        pages: TweetPages,
        visibility: TweetVisibility,
    ) -> None:
        self._favorites = favorites
        self._retweets = retweets
        self._engaged = engaged
        self._targets = targets
        self._pages = pages
        self._visibility = visibility

    async def favorite_tweet(
        self, request: pb.FavoriteTweetRequest, call: Call
    ) -> pb.FavoriteTweetResponse:
        """Favourite a tweet; of a retweet, the original."""
        user_id = call.own_user_id(request.user_id)
        target = await self._targets.get(request.tweet_id)
        await self._visibility.check_engaged(user_id, target)
        count = await self._favorites.change(target.tweet_id, user_id, wanted=True)
        return pb.FavoriteTweetResponse(tweet_id=target.tweet_id, favorite_count=count)

    async def unfavorite_tweet(
        self, request: pb.UnfavoriteTweetRequest, call: Call
    ) -> pb.UnfavoriteTweetResponse:
        """Favourite a tweet no longer."""
        user_id = call.own_user_id(request.user_id)
        target = await self._targets.get(request.tweet_id)
        count = await self._favorites.change(target.tweet_id, user_id, wanted=False)
        return pb.UnfavoriteTweetResponse(tweet_id=target.tweet_id, favorite_count=count)

    async def retweet(self, request: pb.RetweetRequest, call: Call) -> bytes:
        """Retweet a tweet."""
        user_id = call.own_user_id(request.user_id)
        target = await self._targets.get(request.tweet_id)
        await self._visibility.check_engaged(user_id, target)
        return frame(FIRST, await self._retweets.make(target.tweet_id, user_id))

    async def unretweet(self, request: pb.UnretweetRequest, call: Call) -> pb.UnretweetResponse:
        """Take a retweet back."""
        user_id = call.own_user_id(request.user_id)
        target = (await self._targets.current({request.tweet_id})).get(request.tweet_id)
        original_id = target.tweet_id if target else request.tweet_id
        await self._retweets.take_back(original_id, user_id)
        return pb.UnretweetResponse()

    async def list_favoriters(self, request: pb.ListFavoritersRequest, call: Call) -> bytes:
        """A page of who favourites a tweet."""
        return await self._people("favoriters", request, call, self._engaged.favoriters)

    async def list_retweeters(self, request: pb.ListRetweetersRequest, call: Call) -> bytes:
        """A page of who retweeted a tweet."""
        return await self._people("retweeters", request, call, self._engaged.retweeters)

    async def list_favorites(self, request: pb.ListFavoritesRequest, call: Call) -> bytes:
        """A page of the tweets that a user favourites."""
        user_id, size = call.any_user_id(request.user_id), page_size_of(request.page_size)
        shape = ("favorites", user_id)
        before = decode_key(request.page_token, *shape)
        await self._visibility.check_profile(call, user_id)

        async def fetch(before: int, limit: int) -> list[Listed]:
            return await self._engaged.favorites(user_id, before, limit)

        page = await self._pages.fill(call, fetch, before, size, Surface.SURFACE_TWEET)
        token = encode_page_token([page.reached], *shape) if page.reached else ""
        return await self._pages.present(call, page.tweets, token)

    async def _people(
        self,
        name: str,
        request: pb.ListFavoritersRequest | pb.ListRetweetersRequest,
        call: Call,
        read: Callable[[int, int, int], Awaitable[list[Listed]]],
    ) -> bytes:
        """A page of users, in field 1, and its token, in field 2."""
        size, shape = page_size_of(request.page_size), (name, request.tweet_id)
        before = decode_key(request.page_token, *shape)
        if not await self._pages.shown(call, [request.tweet_id], Surface.SURFACE_TWEET):
            raise TweetNotFoundError(tweet_id=request.tweet_id)
        original = await self._targets.get(request.tweet_id)
        found = await read(original.tweet_id, before, size + 1)
        items, token = cut_page(found, size, attrgetter("place"), *shape)
        users = await self._pages.users([item.item_id for item in items])
        page = pb.ListFavoritersResponse(next_page_token=token)
        # Users are kept framed as the second field; a tag is one byte.
        return b"".join(FIRST + user[1:] for user in users) + page.SerializeToString()
