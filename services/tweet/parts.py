"""The parts of TweetService put together, for its composition root."""

import contextlib
from collections.abc import AsyncIterator

from clients.graph import GraphClient
from services.chassis.background import running
from services.chassis.server import Runtime
from services.chassis.snowflake import Snowflakes, wall_clock_ms
from services.chassis.stores import Pool
from services.chassis.tokens import TokenVerifier
from services.chassis.visibility import Visibility

from .callers import BodyCallers
from .deleting import Deleter
from .dev_keys import DevKeyQuotas
from .favorites import Favorites
from .ingesting import Ingester
from .listing import AuthorLists, ReplicaLists
from .media.parts import open_media
from .mentions import MentionResolver
from .messages import TweetMessages
from .pages import TweetPages
from .posting import Poster
from .reading import TweetReader
from .retweets import Retweets
from .servicer.deletions import DeletionMethods
from .servicer.engagement import EngagementMethods
from .servicer.lists import ListMethods
from .servicer.media import MediaMethods
from .servicer.moments import MomentMethods
from .servicer.posts import PostMethods
from .servicer.tags import TagMethods
from .servicer.threads import ThreadMethods
from .servicer.viewers import ViewerMethods
from .store.author_ids import AuthorIdStore
from .store.cache import TweetCache
from .store.deletions import DeletionStore
from .store.engaged import EngagedStore
from .store.engagement import EngagementStore
from .store.mention_lists import MentionLists
from .store.moments import MomentStore
from .store.posts import PostStore
from .store.reads import ReadStore
from .store.tags import TagStore
from .store.threads import ThreadStore
from .tagging import Tagger
from .targets import Targets
from .untagging import Untagger
from .visibility import TweetVisibility


@contextlib.asynccontextmanager
async def open_parts(
    runtime: Runtime,
    pool: Pool,
    graph: GraphClient,
    ids: Snowflakes,
    cache: TweetCache,
    replica: ReplicaLists | None,
) -> AsyncIterator[tuple[object, ...]]:
    """The servicer's parts; left when what they have begun is done."""
    settings, registry, length = runtime.settings, runtime.registry, runtime.settings.status_length
    posts, reads, mentioned = PostStore(pool), ReadStore(pool), MentionLists(pool)
    engagement, engaged, deletions = EngagementStore(pool), EngagedStore(pool), DeletionStore(pool)
    messages = TweetMessages(settings.public_url)
    names = MentionResolver(graph, registry)
    visible = TweetVisibility(Visibility(graph.check_visibility))
    targets, reader = Targets(reads), TweetReader(reads, cache, messages)
    pages = TweetPages(reader, visible, engaged, graph)
    callers = BodyCallers(TokenVerifier(settings.jwks_path), DevKeyQuotas(graph.use_dev_key))
    ingester = Ingester(posts, reads, cache, names, messages, ids, length)
    authors = AuthorLists(AuthorIdStore(pool), replica, registry, wall_clock_ms)
    favorites = Favorites(engagement, cache, ids)
    retweets = Retweets(engagement, reader, cache, messages, ids)
    tagger = Tagger(graph, names, visible)
    untagger = Untagger(TagStore(pool), targets, cache, ids)
    async with open_media(settings, pool, ids, registry) as media:
        poster = Poster(
            posts, targets, cache, names, visible, media.finder, tagger, messages, ids, registry
        )
        deleter = Deleter(posts, deletions, retweets, cache, media.sweeper, messages, ids, registry)
        async with running(deleter.keep_clean()):
            yield (
                PostMethods(
                    callers, poster, ingester, reader, visible, posts, authors, deleter, messages,
                    length,
                ),
                ListMethods(authors, mentioned, reads, reader, messages),
                EngagementMethods(favorites, retweets, engaged, targets, pages, visible),
                ThreadMethods(ThreadStore(pool), pages, targets),
                ViewerMethods(engaged),
                TagMethods(untagger),
                DeletionMethods(deletions),
                MomentMethods(MomentStore(pool), pages, visible, ids),
                MediaMethods(media.uploader, media.store, media.objects, visible.authors),
            )  # fmt: skip
        for closing in (poster, favorites, retweets):
            await closing.close()
