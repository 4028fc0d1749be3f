"""Users, follows and applications as messages and events."""

import time
from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp

from aviary.events.v1 import payload_pb2
from aviary.graph.v1 import dev_key_pb2, follow_pb2, user_pb2
from clients.context import traceparent
from services.chassis.events.log import NewEvent
from services.chassis.snowflake import unix_ms_of

from ..domain import User
from ..domain_follows import Change, Follow, Happening
from ..plans import Plans
from ..store.dev_keys import DevKey
from ..store.quota_uses import WINDOW_SECONDS, Used

PAYLOADS = {
    Happening.FOLLOWED: payload_pb2.UserFollowed,
    Happening.UNFOLLOWED: payload_pb2.UserUnfollowed,
    Happening.UPDATED: payload_pb2.FollowUpdated,
    Happening.REQUESTED: payload_pb2.FollowRequested,
    Happening.BLOCKED: payload_pb2.UserBlocked,
    Happening.UNBLOCKED: payload_pb2.UserUnblocked,
    Happening.MUTED: payload_pb2.UserMuted,
    Happening.UNMUTED: payload_pb2.UserUnmuted,
}


class Messages:
    """Makes messages and events; `public_url` is where users reach the edge."""

    def __init__(self, public_url: str, plans: Plans, next_id: Callable[[], int]) -> None:
        self._users_url = f"{public_url.rstrip('/')}/api/v1/users/"
        self._next_id = next_id
        self.plans = plans

    def user(self, user: User) -> user_pb2.User:
        """A user as everybody may see it; ids tell when their bearer was made."""
        made = time.gmtime(unix_ms_of(user.user_id) // 1000)
        return user_pb2.User(
            user_id=user.user_id,
            user_name=user.user_name,
            display_name=user.display_name,
            description=user.description,
            protected=user.protected,
            followers_count=user.followers_count,
            following_count=user.following_count,
            create_time=timestamp_of(user.user_id),
            created_at=time.strftime("%a %b %d %H:%M:%S +0000 %Y", made),
            url=f"{self._users_url}{user.user_id}",
            mention_policy=user_pb2.MentionPolicy.Name(user.mention_policy),
        )

    def user_bytes(self, user: User) -> bytes:
        """The same, serialized."""
        return self.user(user).SerializeToString()

    def user_created(self, user: User) -> NewEvent:
        """The event of a new account."""
        payload = payload_pb2.UserCreated(user=self.user(user))
        return self._event("UserCreated", user.user_id, payload.SerializeToString())

    def user_updated(self, user: User) -> NewEvent:
        """The event of a changed account."""
        payload = payload_pb2.UserUpdated(user=self.user(user))
        return self._event("UserUpdated", user.user_id, payload.SerializeToString())

    def dev_key(self, dev_key: DevKey) -> dev_key_pb2.DevKey:
        """An application without its key."""
        quotas = self.plans.get(dev_key.plan, {})
        return dev_key_pb2.DevKey(
            dev_key_id=dev_key.dev_key_id,
            user_id=dev_key.user_id,
            name=dev_key.name,
            key_prefix=dev_key.key_prefix,
            plan=dev_key.plan,
            quotas=[
                dev_key_pb2.Quota(name=name, limit=limit, window_seconds=WINDOW_SECONDS)
                for name, limit in quotas.items()
            ],
            create_time=timestamp_of(dev_key.dev_key_id),
        )

    def usage(self, plan: str, quota: str, used: Used | None) -> dev_key_pb2.QuotaUsage:
        """A quota of a plan and what was used of it; None where no window is running."""
        limit = self.plans.get(plan, {}).get(quota, 0)
        message = dev_key_pb2.QuotaUsage(
            quota={"name": quota, "limit": limit, "window_seconds": WINDOW_SECONDS}
        )
        if used is not None:
            message.used = used.used
            message.reset_time.FromDatetime(used.end_time)
        return message

    def _event(self, kind: str, key: int, payload: bytes) -> NewEvent:
        return NewEvent(self._next_id(), key, kind, payload)


def event_of(change: Change) -> NewEvent:
    """The event of whatever happened between two users, which the first of them did or had.

    All but FollowUpdated hold the two ids alone.
    """
    payload = PAYLOADS[change.happening](
        user_id=change.user_id, target_user_id=change.target_user_id
    )
    if isinstance(payload, payload_pb2.FollowUpdated):
        payload.show_retweets, payload.notify = change.show_retweets, change.notify
    kind, trace = change.happening.value, change.traceparent or traceparent()
    return NewEvent(change.event_id, change.user_id, kind, payload.SerializeToString(), trace)


def follow_message(follow: Follow) -> follow_pb2.Follow:
    """A follow in force, or one that is requested."""
    return follow_pb2.Follow(
        user_id=follow.user_id,
        target_user_id=follow.target_user_id,
        state=follow_pb2.FOLLOW_STATE_REQUESTED
        if follow.requested
        else follow_pb2.FOLLOW_STATE_FOLLOWING,
        show_retweets=follow.show_retweets,
        notify=follow.notify,
        create_time=timestamp_of(follow.follow_id),
    )


def timestamp_of(snowflake: int) -> Timestamp:
    """When an id was made."""
    made_ms = unix_ms_of(snowflake)
    return Timestamp(seconds=made_ms // 1000, nanos=made_ms % 1000 * 1_000_000)
