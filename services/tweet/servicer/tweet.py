"""TweetService whole, from the parts that serve it."""

from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.snowflake import Snowflakes

from ..callers import BodyCallers
from ..ingesting import Ingester
from ..listing import AuthorLists
from ..media.parts import Media
from ..messages import TweetMessages
from ..posting import Poster
from ..reading import TweetReader
from ..store.cache import TweetCache
from ..store.lists import ListStore
from ..store.posts import PostStore
from ..store.reads import ReadStore
from ..visibility import TweetVisibility
from .lists import ListMethods
from .media import MediaMethods
from .posts import PostMethods

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["TweetService"]


class TweetServicer(PostMethods, ListMethods, MediaMethods):
    """The methods served so far; what the contract has beyond them answers UNIMPLEMENTED."""

    def __init__(
        self,
        *,
        callers: BodyCallers,
        poster: Poster,
        ingester: Ingester,
        reader: TweetReader,
        visibility: TweetVisibility,
        authors: AuthorLists,
        lists: ListStore,
        posts: PostStore,
        reads: ReadStore,
        cache: TweetCache,
        messages: TweetMessages,
        snowflakes: Snowflakes,
        media: Media,
    ) -> None:
        PostMethods.__init__(
            self,
            callers=callers,
            poster=poster,
            ingester=ingester,
            reader=reader,
            visibility=visibility,
            lists=lists,
            posts=posts,
            cache=cache,
            messages=messages,
            snowflakes=snowflakes,
            sweeper=media.sweeper,
        )
        ListMethods.__init__(self, authors, lists, reads, messages)
        MediaMethods.__init__(self, media.uploader, media.store, media.objects, visibility.authors)
