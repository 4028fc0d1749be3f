"""Operators' methods: the queues of deliveries; and the ends of e-mail, which need no login."""

from operator import attrgetter

from google.api.httpbody_pb2 import HttpBody

from aviary.notify.v1 import delivery_pb2, preferences_pb2
from aviary.notify.v1 import notify_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError
from services.chassis.paging import cut_page, decode_key, page_size_of

from ..delivery.mail import Composer, UnsubscribeTokens
from ..domain_preferences import Channel, EmailMode
from ..errors import UnsubscribeTokenInvalidError
from ..store.deliveries import DeliveryStore, Queue
from ..store.preferences import PreferenceStore

MAX_IDS = 1_000
QUEUED = {Channel.PUSH.value: Channel.PUSH, Channel.EMAIL.value: Channel.EMAIL}


class QueueMethods:
    """ListQueues, UpdateQueue, ListDeadDeliveries, ReplayDeadDeliveries."""

    def __init__(self, deliveries: DeliveryStore) -> None:
        self._deliveries = deliveries

    async def list_queues(
        self, _request: pb.ListQueuesRequest, _call: Call
    ) -> pb.ListQueuesResponse:
        """Answer the state of every channel."""
        return pb.ListQueuesResponse(queues=map(_queue, await self._deliveries.queues()))

    async def update_queue(
        self, request: pb.UpdateQueueRequest, _call: Call
    ) -> pb.UpdateQueueResponse:
        """Pause a channel, or let it go on."""
        channel = _channel(request.channel)
        await self._deliveries.pause(channel, paused=request.paused)
        queues = {queue.channel: queue for queue in await self._deliveries.queues()}
        return pb.UpdateQueueResponse(queue=_queue(queues[channel]))

    async def list_dead_deliveries(
        self, request: pb.ListDeadDeliveriesRequest, _call: Call
    ) -> pb.ListDeadDeliveriesResponse:
        """List what was given up."""
        channel, size = _channel(request.channel), page_size_of(request.page_size)
        before = decode_key(request.page_token, "dead", channel.value)
        found = await self._deliveries.dead(channel, before, size + 1)
        rows, token = cut_page(found, size, attrgetter("delivery_id"), "dead", channel.value)
        reply = pb.ListDeadDeliveriesResponse(next_page_token=token)
        for row in rows:
            message = reply.deliveries.add(
                delivery_id=row.delivery_id,
                user_id=row.user_id,
                channel=f"CHANNEL_{channel.name}",
                attempts=row.attempts,
                last_error=row.last_error,
            )
            message.create_time.FromDatetime(row.create_time)
        return reply

    async def replay_dead_deliveries(
        self, request: pb.ReplayDeadDeliveriesRequest, _call: Call
    ) -> pb.ReplayDeadDeliveriesResponse:
        """Queue what was given up again."""
        if len(request.delivery_ids) > MAX_IDS:
            problem = f"holds {len(request.delivery_ids)} ids; at most {MAX_IDS} are allowed"
            raise InvalidFieldError(field="delivery_ids", problem=problem)
        count = await self._deliveries.replay(_channel(request.channel), request.delivery_ids)
        return pb.ReplayDeadDeliveriesResponse(delivery_count=count)


class UnsubscribeMethods:
    """Unsubscribe, GetUnsubscribePage: by the token in a mail's link."""

    def __init__(
        self, tokens: UnsubscribeTokens, composer: Composer, preferences: PreferenceStore
    ) -> None:
        self._tokens = tokens
        self._composer = composer
        self._mail_preferences = preferences

    async def unsubscribe(
        self, request: pb.UnsubscribeRequest, _call: Call
    ) -> pb.UnsubscribeResponse:
        """End e-mail to whoever got the mail."""
        user_id = self._user_of(request.token)
        await self._mail_preferences.change(
            user_id, lambda mine: mine._replace(email_mode=EmailMode.OFF)
        )
        return pb.UnsubscribeResponse(email_mode=preferences_pb2.EMAIL_MODE_OFF)

    async def get_unsubscribe_page(
        self, request: pb.GetUnsubscribePageRequest, _call: Call
    ) -> pb.GetUnsubscribePageResponse:
        """Answer the page with the button."""
        self._user_of(request.token)
        page = HttpBody(
            content_type="text/html; charset=utf-8", data=self._composer.page(request.token)
        )
        return pb.GetUnsubscribePageResponse(page=page)

    def _user_of(self, token: str) -> int:
        user_id = self._tokens.user_of(token)
        if user_id is None:
            raise UnsubscribeTokenInvalidError
        return user_id


def _channel(number: int) -> Channel:
    if number not in QUEUED:
        raise InvalidFieldError(field="channel", problem="must be CHANNEL_PUSH or CHANNEL_EMAIL")
    return QUEUED[number]


def _queue(queue: Queue) -> delivery_pb2.ChannelQueue:
    message = delivery_pb2.ChannelQueue(
        channel=f"CHANNEL_{queue.channel.name}",
        paused=queue.paused,
        waiting=queue.waiting,
        dead=queue.dead,
    )
    if queue.oldest_due is not None:
        message.oldest_due_time.FromDatetime(queue.oldest_due)
    return message
