"""What is sent for a delivery: the entry as it is now, if its user still wants to hear of it."""

from collections.abc import Sequence
from typing import Any

from aviary.notify.v1.notification_pb2 import Notification
from clients.graph import GraphClient

from ..domain_preferences import EMAIL, PUSH, EmailMode
from ..showing import Showing
from ..store.deliveries import Claimed
from ..store.inbox import InboxStore
from ..store.preferences import PreferenceStore
from ..store.subscriptions import SubscriptionStore
from .mail import Addressee, Composer, Line, OutboxSender, SmtpSender
from .outcomes import Dropped, Failed, Outcome, Sent
from .push import Expired, PushSender, Subscription

READ = Dropped("read or gone meanwhile")
UNWANTED = Dropped("not wanted any more")


class Current:
    """The entries behind deliveries, as they are now."""

    def __init__(self, inbox: InboxStore, showing: Showing, public_url: str) -> None:
        self._inbox = inbox
        self._showing = showing
        self._public_url = public_url.rstrip("/")

    async def unread(self, claimed: Sequence[Claimed]) -> list[Notification]:
        """Those that are unread still; all are one user's."""
        keys = [(each.kind, each.object_id) for each in claimed]
        rows = await self._inbox.entries(claimed[0].user_id, keys)
        badge = await self._inbox.badge(claimed[0].user_id)
        alive = [r for r in rows if not r.gone and r.notification_id > badge.read_up_to]
        return await self._showing.notifications(alive, badge.read_up_to)

    def url(self, notification: Notification) -> str:
        """Where what happened is to be seen."""
        if notification.conversation_id:
            return f"{self._public_url}/api/v1/conversations/{notification.conversation_id}"
        if notification.tweet_id:
            return f"{self._public_url}/api/v1/tweets/{notification.tweet_id}"
        if notification.actors:
            return f"{self._public_url}/api/v1/users/{notification.actors[0].user_id}"
        return self._public_url


class PushMaker:
    """Makes push messages: one a delivery, to every device of its user."""

    def __init__(
        self,
        current: Current,
        preferences: PreferenceStore,
        subscriptions: SubscriptionStore,
        sender: PushSender,
    ) -> None:
        self._current = current
        self._preferences = preferences
        self._subscriptions = subscriptions
        self._sender = sender

    async def batches(self, claimed: Sequence[Claimed]) -> Sequence[Sequence[Claimed]]:
        """Each by itself."""
        return [[each] for each in claimed]

    async def make(self, together: Sequence[Claimed]) -> Outcome:
        """Send to every device that has not got it; those that are gone are forgotten."""
        [delivery] = together
        mine = await self._preferences.get(delivery.user_id)
        if not mine.wants(delivery.kind, PUSH):
            return UNWANTED
        devices = await self._subscriptions.of_user(delivery.user_id)
        devices = [device for device in devices if device[0] not in delivery.reached]
        if not devices:
            return Dropped("no device")
        shown = await self._current.unread(together)
        if not shown:
            return READ
        payload = self._payload(shown[0])
        topic = f"n{delivery.kind.value}-{delivery.object_id}"[:32]
        failed: list[Failed] = []
        reached: list[int] = []
        for device in devices:
            outcome = await self._sender.send(Subscription(*device), delivery.kind, topic, payload)
            match outcome:
                case Sent():
                    await self._subscriptions.delivered(device[0])
                    reached.append(device[0])
                case Expired():
                    await self._subscriptions.delete(delivery.user_id, device[0])
                case Failed():
                    failed.append(outcome)
        passing = [each for each in failed if not each.permanent]
        return (passing or failed)[0]._replace(reached=reached) if failed else Sent()

    def _payload(self, shown: Notification) -> dict[str, Any]:
        return {
            "title": "Aviary",
            "body": shown.text[:500],
            "url": self._current.url(shown),
            "tag": str(shown.notification_id),
            "tweet_id": str(shown.tweet_id),
        }


class MailMaker:
    """Makes mails: one a delivery, or one a day of all that waits for a user."""

    def __init__(
        self,
        current: Current,
        preferences: PreferenceStore,
        graph: GraphClient,
        composer: Composer,
        sender: SmtpSender | OutboxSender,
    ) -> None:
        self._current = current
        self._preferences = preferences
        self._graph = graph
        self._composer = composer
        self._sender = sender

    async def batches(self, claimed: Sequence[Claimed]) -> Sequence[Sequence[Claimed]]:
        """Each by itself, but those of a user who wants one mail a day together."""
        preferences = await self._preferences.get_many({each.user_id for each in claimed})
        alone, daily = [], dict[int, list[Claimed]]()
        for each in claimed:
            if preferences[each.user_id].email_mode is EmailMode.DAILY:
                daily.setdefault(each.user_id, []).append(each)
            else:
                alone.append([each])
        return [*alone, *daily.values()]

    async def make(self, together: Sequence[Claimed]) -> Outcome:
        """Send one mail."""
        user_id = together[0].user_id
        mine = await self._preferences.get(user_id)
        wanted = [each for each in together if mine.wants(each.kind, EMAIL)]
        if mine.email_mode is EmailMode.OFF or not wanted:
            return UNWANTED
        contact = (await self._graph.contacts([user_id])).get(user_id)
        if contact is None or not contact.email:
            return Dropped("no address")
        shown = await self._current.unread(wanted)
        if not shown:
            return READ
        lines = [Line(each.text, self._current.url(each)) for each in shown]
        to = Addressee(user_id, contact.display_name or contact.user_name, contact.email)
        return await self._sender.send(self._composer.compose(to, lines, together[0].delivery_id))
