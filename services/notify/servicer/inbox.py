"""ListNotifications, GetUnreadCount, MarkRead, StreamNotifications."""

import contextlib
from collections.abc import AsyncGenerator
from operator import attrgetter

from aviary.notify.v1 import notify_service_pb2 as pb
from services.chassis import sse
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError
from services.chassis.paging import cut_page, decode_key, page_size_of

from ..errors import NotificationNotFoundError
from ..live import LiveHub
from ..showing import Showing
from ..store.inbox import InboxStore


class InboxMethods:
    """What an inbox's owner does with it."""

    def __init__(self, inbox: InboxStore, showing: Showing, hub: LiveHub) -> None:
        self._inbox = inbox
        self._showing = showing
        self._inbox_hub = hub

    async def list_notifications(
        self, request: pb.ListNotificationsRequest, call: Call
    ) -> pb.ListNotificationsResponse:
        """Answer a page of the inbox, with the badge."""
        user_id = call.own_user_id(request.user_id)
        size = page_size_of(request.page_size)
        before = decode_key(request.page_token, "notifications", user_id)
        rows = await self._inbox.page(user_id, before, size + 1)
        badge = await self._inbox.badge(user_id)
        last = attrgetter("notification_id")
        shown, token = cut_page(rows, size, last, "notifications", user_id)
        return pb.ListNotificationsResponse(
            notifications=await self._showing.notifications(shown, badge.read_up_to),
            unread_count=badge.unread,
            read_up_to_id=badge.read_up_to,
            next_page_token=token,
        )

    async def get_unread_count(
        self, request: pb.GetUnreadCountRequest, call: Call
    ) -> pb.GetUnreadCountResponse:
        """Answer the badge."""
        badge = await self._inbox.badge(call.own_user_id(request.user_id))
        return pb.GetUnreadCountResponse(unread_count=badge.unread, read_up_to_id=badge.read_up_to)

    async def mark_read(self, request: pb.MarkReadRequest, call: Call) -> pb.MarkReadResponse:
        """Move the read marker."""
        user_id = call.own_user_id(request.user_id)
        if request.notification_id <= 0:
            raise InvalidFieldError(field="notification_id", problem="is required")
        badge = await self._inbox.mark_read(user_id, request.notification_id)
        if badge is None:
            raise NotificationNotFoundError(notification_id=request.notification_id)
        return pb.MarkReadResponse(unread_count=badge.unread, read_up_to_id=badge.read_up_to)

    async def stream_notifications(
        self, request: pb.StreamNotificationsRequest, call: Call
    ) -> AsyncGenerator[pb.StreamNotificationsResponse, None]:
        """Stream the inbox as Server-Sent Events."""
        user_id = call.own_user_id(request.user_id)
        pieces = self._inbox_hub.stream(user_id, sse.cursor_in(call, request.last_event_id), call)
        async with contextlib.aclosing(sse.bodies(pieces, call)) as bodies:
            async for body in bodies:
                yield pb.StreamNotificationsResponse(event_stream=body)
