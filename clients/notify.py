"""The Notify service as its peers and the command line see it."""

from collections.abc import AsyncIterator, Sequence

from aviary.notify.v1 import notify_service_pb2 as pb
from aviary.notify.v1 import preferences_pb2

from .channel import Peer, bearer

_SERVICE = "/aviary.notify.v1.NotifyService"


class NotifyClient(Peer):
    """Calls to the Notify service; `token` acts for a user where the edge is in between."""

    def __init__(self, address: str, *, token: str = "") -> None:
        super().__init__("notify", address)
        self._metadata = bearer(token)
        self._list = self.unary(f"{_SERVICE}/ListNotifications", pb.ListNotificationsResponse)
        self._count = self.unary(f"{_SERVICE}/GetUnreadCount", pb.GetUnreadCountResponse)
        self._mark = self.unary(f"{_SERVICE}/MarkRead", pb.MarkReadResponse)
        self._stream = self.server_stream(
            f"{_SERVICE}/StreamNotifications", pb.StreamNotificationsResponse
        )
        self._get_preferences = self.unary(f"{_SERVICE}/GetPreferences", pb.GetPreferencesResponse)
        self._update_preferences = self.unary(
            f"{_SERVICE}/UpdatePreferences", pb.UpdatePreferencesResponse
        )

    async def notifications(
        self, *, page_size: int = 0, page_token: str = ""
    ) -> pb.ListNotificationsResponse:
        """A page of the caller's inbox."""
        request = pb.ListNotificationsRequest(page_size=page_size, page_token=page_token)
        return await self._list(request, metadata=self._metadata)

    async def unread_count(self) -> int:
        """How many entries are unread."""
        reply = await self._count(pb.GetUnreadCountRequest(), metadata=self._metadata)
        return reply.unread_count

    async def mark_read(self, notification_id: int) -> pb.MarkReadResponse:
        """Mark a notification and all older ones as read."""
        request = pb.MarkReadRequest(notification_id=notification_id)
        return await self._mark(request, metadata=self._metadata)

    async def stream(self, last_event_id: str = "") -> AsyncIterator[bytes]:
        """The inbox live, as pieces of `text/event-stream`."""
        request = pb.StreamNotificationsRequest(last_event_id=last_event_id)
        async for reply in self._stream(request, metadata=self._metadata):
            yield reply.event_stream.data

    async def preferences(self) -> preferences_pb2.Preferences:
        """How the caller wants to be reached."""
        reply = await self._get_preferences(pb.GetPreferencesRequest(), metadata=self._metadata)
        return reply.preferences

    async def update_preferences(
        self,
        *,
        kinds: Sequence[preferences_pb2.KindPreference] = (),
        email_mode: preferences_pb2.EmailMode | None = None,
    ) -> preferences_pb2.Preferences:
        """Change how the caller wants to be reached."""
        request = pb.UpdatePreferencesRequest(kinds=kinds, email_mode=email_mode)
        reply = await self._update_preferences(request, metadata=self._metadata)
        return reply.preferences
