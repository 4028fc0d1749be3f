"""The stores of one replica."""

from collections.abc import Callable
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from services.chassis.events.log import NewEvent
from services.chassis.stores import Pool, Redis

from ..domain import User
from ..domain_follows import Change
from .dev_keys import PostgresDevKeys
from .follow_ids import PostgresFollowIds
from .follow_writer import FollowWriter
from .follower_cache import FollowerCache
from .follows import PostgresFollows
from .leased_cache import CacheMetrics
from .login_failures import PostgresLoginFailures
from .mutes import PostgresMutes
from .profile_writer import ProfileWriter
from .quota_uses import PostgresQuotaUses
from .relations import PostgresRelations
from .sessions import PostgresSessions
from .suggestions import PostgresSuggestions
from .user_cache import UserCache
from .users import PostgresUsers


class Stores(NamedTuple):
    """Everything that a replica reads and writes."""

    users: PostgresUsers
    user_cache: UserCache
    sessions: PostgresSessions
    login_failures: PostgresLoginFailures
    dev_keys: PostgresDevKeys
    quota_uses: PostgresQuotaUses
    follows: PostgresFollows
    follow_writer: FollowWriter
    follow_ids: PostgresFollowIds
    follower_cache: FollowerCache
    profile_writer: ProfileWriter
    mutes: PostgresMutes
    relations: PostgresRelations
    suggestions: PostgresSuggestions


def stores_on(
    pool: Pool,
    redis: Redis,
    registry: CollectorRegistry,
    *,
    next_id: Callable[[], int],
    encode_user: Callable[[User], bytes],
    user_updated: Callable[[User], NewEvent],
    event_of: Callable[[Change], NewEvent],
    traceparent: Callable[[], str],
) -> Stores:
    """The stores on one database and one Redis; the caller encodes what travels.

    `traceparent` tells the trace of the call in which it is asked.
    """
    metrics = CacheMetrics(registry)
    users = PostgresUsers(pool)
    user_cache = UserCache(redis, users, encode=encode_user, metrics=metrics)
    follows = PostgresFollows(pool, next_id, event_of)
    follow_ids = PostgresFollowIds(pool)
    follower_cache = FollowerCache(redis, follow_ids, metrics)
    writer = FollowWriter(follows, user_cache, follower_cache, traceparent)
    return Stores(
        users=users,
        user_cache=user_cache,
        sessions=PostgresSessions(pool),
        login_failures=PostgresLoginFailures(pool),
        dev_keys=PostgresDevKeys(pool),
        quota_uses=PostgresQuotaUses(pool),
        follows=follows,
        follow_writer=writer,
        follow_ids=follow_ids,
        follower_cache=follower_cache,
        profile_writer=ProfileWriter(users, follows, writer, user_cache, user_updated),
        mutes=PostgresMutes(pool, next_id, event_of),
        relations=PostgresRelations(pool),
        suggestions=PostgresSuggestions(pool),
    )
