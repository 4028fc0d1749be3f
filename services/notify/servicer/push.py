"""Push subscriptions: CreatePushSubscription, List, Delete, GetPushKey."""

from collections.abc import Callable
from operator import attrgetter
from urllib.parse import urlsplit

from aviary.notify.v1 import notify_service_pb2 as pb
from aviary.notify.v1 import push_pb2
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError
from services.chassis.paging import cut_page, decode_key, page_size_of
from services.chassis.snowflake import unix_ms_of

from ..delivery.endpoints import EndpointRules
from ..delivery.push import key_of, secret_of
from ..errors import PushSubscriptionNotFoundError
from ..store.subscriptions import Device, Keys, SubscriptionStore

MAX_NAME = 100


class PushMethods:
    """A user's devices."""

    def __init__(
        self,
        subscriptions: SubscriptionStore,
        rules: EndpointRules,
        public_key: str,
        next_id: Callable[[], int],
    ) -> None:
        self._subscriptions = subscriptions
        self._rules = rules
        self._public_key = public_key
        self._next_subscription_id = next_id

    async def create_push_subscription(
        self, request: pb.CreatePushSubscriptionRequest, call: Call
    ) -> pb.CreatePushSubscriptionResponse:
        """Register a device."""
        user_id = call.own_user_id(request.user_id)
        self._rules.check(request.endpoint)
        key, secret = key_of(request.p256dh_key), secret_of(request.auth_secret)
        if key is None:
            problem = "must be a point on P-256 of 65 bytes, base64url"
            raise InvalidFieldError(field="p256dh_key", problem=problem)
        if secret is None:
            raise InvalidFieldError(field="auth_secret", problem="must be 16 bytes, base64url")
        if len(request.device_name) > MAX_NAME:
            problem = f"is longer than {MAX_NAME} characters"
            raise InvalidFieldError(field="device_name", problem=problem)
        made = await self._subscriptions.put(
            self._next_subscription_id(),
            user_id,
            request.endpoint,
            Keys(key, secret),
            request.device_name,
        )
        device = Device(made, user_id, request.endpoint, request.device_name, None)
        return pb.CreatePushSubscriptionResponse(subscription=_message(device))

    async def list_push_subscriptions(
        self, request: pb.ListPushSubscriptionsRequest, call: Call
    ) -> pb.ListPushSubscriptionsResponse:
        """List the caller's devices."""
        user_id = call.own_user_id(request.user_id)
        size = page_size_of(request.page_size)
        before = decode_key(request.page_token, "devices", user_id)
        found = await self._subscriptions.page(user_id, before, size + 1)
        rows, token = cut_page(found, size, attrgetter("subscription_id"), "devices", user_id)
        return pb.ListPushSubscriptionsResponse(
            subscriptions=map(_message, rows), next_page_token=token
        )

    async def delete_push_subscription(
        self, request: pb.DeletePushSubscriptionRequest, call: Call
    ) -> pb.DeletePushSubscriptionResponse:
        """Take a device away."""
        user_id = call.own_user_id(request.user_id)
        if not await self._subscriptions.delete(user_id, request.subscription_id):
            raise PushSubscriptionNotFoundError(subscription_id=request.subscription_id)
        return pb.DeletePushSubscriptionResponse()

    async def get_push_key(
        self, _request: pb.GetPushKeyRequest, _call: Call
    ) -> pb.GetPushKeyResponse:
        """Answer the key that browsers subscribe with."""
        return pb.GetPushKeyResponse(public_key=self._public_key)


def _message(device: Device) -> push_pb2.PushSubscription:
    parts = urlsplit(device.endpoint)
    message = push_pb2.PushSubscription(
        subscription_id=device.subscription_id,
        user_id=device.user_id,
        endpoint_origin=f"{parts.scheme}://{parts.netloc}",
        device_name=device.device_name,
    )
    message.create_time.FromMilliseconds(unix_ms_of(device.subscription_id))
    if device.last_delivery_time is not None:
        message.last_delivery_time.FromDatetime(device.last_delivery_time)
    return message
