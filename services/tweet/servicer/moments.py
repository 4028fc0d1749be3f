"""Moments."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter

from aviary.graph.v1.visibility_pb2 import Surface
from aviary.tweet.v1 import moment_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.wire import frame, tag_of
from services.chassis.call import Call
from services.chassis.errors import ActingForOtherUserError, InvalidFieldError, PageTokenError
from services.chassis.paging import (
    MAX_ID,
    cut_page,
    decode_key,
    decode_page_token,
    encode_page_token,
    page_size_of,
)
from services.chassis.snowflake import Snowflakes

from ..domain_moments import (
    MAX_FIRST,
    Moment,
    Ranked,
    check_size,
    clean_description,
    clean_title,
    placed,
    ranked,
)
from ..errors import MomentNotFoundError, TweetNotFoundError
from ..pages import TweetPages
from ..store.engaged import Listed
from ..store.moments import MomentStore
from ..visibility import TweetVisibility
from .limits import check_count

MOMENT = tag_of(5)
FIRST_OF_ALL = Ranked(-MAX_ID, 0)


class MomentMethods:
    """CreateMoment to RemoveMomentTweet."""

    def __init__(
        self,
        moments: MomentStore,
        pages: TweetPages,
        visibility: TweetVisibility,
        snowflakes: Snowflakes,
    ) -> None:
        self._moments = moments
        self._pages = pages
        self._visibility = visibility
        self._snowflakes = snowflakes

    async def create_moment(
        self, request: pb.CreateMomentRequest, call: Call
    ) -> pb.CreateMomentResponse:
        """Make a moment, of the tweets given."""
        user_id = call.require_caller()
        request_id = call.idempotency_key(request.request_id)
        title, description = clean_title(request.title), clean_description(request.description)
        tweet_ids = list(dict.fromkeys(request.tweet_ids))
        check_count("tweet_ids", len(request.tweet_ids), MAX_FIRST)
        tweets = await self._visible(call, tweet_ids)
        _check_cover(request.cover_media_id, tweets)
        now = datetime.now(UTC)
        moment = Moment(
            self._snowflakes.next(),
            user_id,
            title,
            description,
            request.cover_media_id,
            now,
            now,
        )
        body = (title, description, tweet_ids, request.cover_media_id)
        body_hash = hashlib.blake2b(repr(body).encode(), digest_size=16).digest()
        moment_id = await self._moments.create(moment, ranked(tweet_ids), request_id, body_hash)
        return pb.CreateMomentResponse(moment=_message(await self._get(moment_id)))

    async def get_moment(self, request: pb.GetMomentRequest, call: Call) -> bytes:
        """A moment with a page of its tweets, in its order."""
        size, shape = page_size_of(request.page_size), ("moment", request.moment_id)
        position = decode_page_token(request.page_token, *shape)
        if position and len(position) != 2:
            raise PageTokenError
        moment = await self._get(request.moment_id)
        await self._visibility.check_profile(call, moment.user_id)
        last = Ranked(*position) if position else FIRST_OF_ALL

        async def fetch(_before: int, limit: int) -> list[Listed]:
            nonlocal last
            found = await self._moments.tweets(moment.moment_id, last, limit)
            if len(found) == limit:
                last = found[-2]  # the one more tells only that there is more
            return [Listed(-item.rank, item.tweet_id) for item in found]

        page = await self._pages.fill(call, fetch, -last.rank, size, Surface.SURFACE_TWEET)
        token = encode_page_token(last, *shape) if page.reached else ""
        shown = await self._pages.present(call, page.tweets, token, also=moment.user_id)
        return shown + frame(MOMENT, _message(moment).SerializeToString())

    async def list_moments(
        self, request: pb.ListMomentsRequest, call: Call
    ) -> pb.ListMomentsResponse:
        """A page of a user's moments."""
        user_id, size = call.any_user_id(request.user_id), page_size_of(request.page_size)
        shape = ("moments", user_id)
        before = decode_key(request.page_token, *shape)
        await self._visibility.check_profile(call, user_id)
        found = await self._moments.of_user(user_id, before, size + 1)
        moments, token = cut_page(found, size, attrgetter("moment_id"), *shape)
        return pb.ListMomentsResponse(moments=map(_message, moments), next_page_token=token)

    async def update_moment(
        self, request: pb.UpdateMomentRequest, call: Call
    ) -> pb.UpdateMomentResponse:
        """Change the fields given."""
        moment = await self._own(call, request.moment_id)
        if request.cover_media_id:
            items = await self._moments.tweets(moment.moment_id, FIRST_OF_ALL, moment.tweet_count)
            tweets = await self._pages.shown(
                call, [item.tweet_id for item in items], Surface.SURFACE_TWEET
            )
            _check_cover(request.cover_media_id, list(tweets.values()))
        await self._moments.update(
            moment.moment_id,
            clean_title(request.title) if request.HasField("title") else None,
            clean_description(request.description) if request.HasField("description") else None,
            request.cover_media_id if request.HasField("cover_media_id") else None,
        )
        return pb.UpdateMomentResponse(moment=_message(await self._get(moment.moment_id)))

    async def delete_moment(
        self, request: pb.DeleteMomentRequest, call: Call
    ) -> pb.DeleteMomentResponse:
        """Delete a moment; its tweets stay."""
        moment = await self._own(call, request.moment_id)
        await self._moments.delete(moment.moment_id)
        return pb.DeleteMomentResponse()

    async def add_moment_tweet(
        self, request: pb.AddMomentTweetRequest, call: Call
    ) -> pb.AddMomentTweetResponse:
        """Put a tweet into a moment, or move it there."""
        moment = await self._own(call, request.moment_id)
        await self._visible(call, [request.tweet_id])
        position = request.position if request.HasField("position") else None

        def arrange(order: Sequence[Ranked]) -> list[Ranked]:
            check_size(len({item.tweet_id for item in order} | {request.tweet_id}))
            return placed(order, request.tweet_id, position)

        if not await self._moments.arrange(moment.moment_id, arrange):
            raise MomentNotFoundError(moment_id=moment.moment_id)
        return pb.AddMomentTweetResponse(moment=_message(await self._get(moment.moment_id)))

    async def remove_moment_tweet(
        self, request: pb.RemoveMomentTweetRequest, call: Call
    ) -> pb.RemoveMomentTweetResponse:
        """Take a tweet out of a moment."""
        moment = await self._own(call, request.moment_id)
        await self._moments.remove(moment.moment_id, request.tweet_id)
        return pb.RemoveMomentTweetResponse(moment=_message(await self._get(moment.moment_id)))

    async def _get(self, moment_id: int) -> Moment:
        moment = await self._moments.get(moment_id)
        if moment is None:
            raise MomentNotFoundError(moment_id=moment_id)
        return moment

    async def _own(self, call: Call, moment_id: int) -> Moment:
        user_id = call.require_caller()
        moment = await self._get(moment_id)
        if moment.user_id != user_id:
            raise ActingForOtherUserError(user_id=moment.user_id)
        return moment

    async def _visible(self, call: Call, tweet_ids: Sequence[int]) -> list[bytes]:
        """These tweets, all of which the caller must see."""
        found = await self._pages.shown(call, tweet_ids, Surface.SURFACE_TWEET)
        for tweet_id in tweet_ids:
            if tweet_id not in found:
                raise TweetNotFoundError(tweet_id=tweet_id)
        return list(found.values())


def _check_cover(media_id: int, tweets: Sequence[bytes]) -> None:
    media = {medium.media_id for tweet in tweets for medium in Tweet.FromString(tweet).media}
    if media_id and media_id not in media:
        problem = f"is {media_id}, which is in none of the moment's tweets"
        raise InvalidFieldError(field="cover_media_id", problem=problem)


def _message(moment: Moment) -> moment_pb2.Moment:
    message = moment_pb2.Moment(
        moment_id=moment.moment_id,
        user_id=moment.user_id,
        title=moment.title,
        description=moment.description,
        cover_media_id=moment.cover_media_id,
        tweet_count=moment.tweet_count,
    )
    message.create_time.FromDatetime(moment.create_time)
    message.update_time.FromDatetime(moment.update_time)
    return message
