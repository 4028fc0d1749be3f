"""Registered applications."""

import hashlib
import secrets
from collections.abc import Callable
from operator import attrgetter

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import IdempotencyMismatchError, InvalidFieldError, ScopeMissingError
from services.chassis.paging import cut_page, decode_key, page_size_of
from services.chassis.policy import OPERATOR_SCOPE

from ..domain import DEFAULT_PLAN, check_key_name, check_plan
from ..errors import DevKeyInvalidError, DevKeyNotFoundError
from ..store.dev_keys import DevKey, PostgresDevKeys
from ..store.idempotency import Answered
from ..store.quota_uses import PostgresQuotaUses
from .messages import Messages
from .sessions import TOKEN_BYTES, hash_of

KEY_PREFIX, SHOWN = "ak_", 11
COUNTED = ("write",)
"""The quotas of which uses are counted by key."""


class DevKeyMethods:
    """CreateDevKey, ListDevKeys, DeleteDevKey, GetUsage, UseDevKey."""

    def __init__(
        self,
        dev_keys: PostgresDevKeys,
        quota_uses: PostgresQuotaUses,
        messages: Messages,
        next_id: Callable[[], int],
    ) -> None:
        self._dev_keys = dev_keys
        self._quota_uses = quota_uses
        self._dev_key_messages = messages
        self._next_dev_key_id = next_id

    async def create_dev_key(
        self, request: pb.CreateDevKeyRequest, call: Call
    ) -> pb.CreateDevKeyResponse:
        """Register an application; a repetition answers without the key."""
        user_id = call.require_caller()
        request_id = call.idempotency_key(request.request_id)
        name, plan = (
            check_key_name(request.name),
            check_plan(request.plan, self._dev_key_messages.plans),
        )
        if plan != DEFAULT_PLAN and OPERATOR_SCOPE not in call.caller.scopes:
            raise ScopeMissingError(scope=OPERATOR_SCOPE)
        api_dev_key = KEY_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        dev_key = DevKey(self._next_dev_key_id(), user_id, name, api_dev_key[:SHOWN], plan)
        reply = pb.CreateDevKeyResponse(dev_key=self._dev_key_messages.dev_key(dev_key))
        fingerprint = hashlib.sha256(f"CreateDevKey\0{name}\0{plan}".encode()).digest()
        answer = Answered(user_id, request_id, fingerprint, "", reply.SerializeToString())
        made = await self._dev_keys.create(
            dev_key, hash_of(api_dev_key), answer if request_id else None
        )
        if not made:
            return await self._repeat_dev_key(answer)
        reply.api_dev_key = api_dev_key
        return reply

    async def list_dev_keys(
        self, request: pb.ListDevKeysRequest, call: Call
    ) -> pb.ListDevKeysResponse:
        """The caller's applications, newest first."""
        user_id = call.require_caller()
        size = page_size_of(request.page_size)
        before = decode_key(request.page_token, "dev_keys", user_id)
        found = await self._dev_keys.list_of(user_id, before, size + 1)
        page, token = cut_page(found, size, attrgetter("dev_key_id"), "dev_keys", user_id)
        return pb.ListDevKeysResponse(
            dev_keys=map(self._dev_key_messages.dev_key, page), next_page_token=token
        )

    async def delete_dev_key(
        self, request: pb.DeleteDevKeyRequest, call: Call
    ) -> pb.DeleteDevKeyResponse:
        """Withdraw a key."""
        if not await self._dev_keys.delete(request.dev_key_id, call.require_caller()):
            raise DevKeyNotFoundError(dev_key_id=request.dev_key_id)
        return pb.DeleteDevKeyResponse()

    async def get_usage(self, request: pb.GetUsageRequest, call: Call) -> pb.GetUsageResponse:
        """What was used of a key's quotas."""
        dev_key = await self._dev_keys.get(request.dev_key_id, call.require_caller())
        if dev_key is None:
            raise DevKeyNotFoundError(dev_key_id=request.dev_key_id)
        used = await self._quota_uses.of(dev_key.dev_key_id)
        return pb.GetUsageResponse(
            dev_key_id=dev_key.dev_key_id,
            plan=dev_key.plan,
            usages=[
                self._dev_key_messages.usage(dev_key.plan, quota, used.get(quota))
                for quota in COUNTED
            ],
        )

    async def use_dev_key(self, request: pb.UseDevKeyRequest, _call: Call) -> pb.UseDevKeyResponse:
        """Use a part of a key's quota."""
        dev_key = await self._dev_keys.resolve(hash_of(request.api_dev_key))
        if dev_key is None:
            raise DevKeyInvalidError
        if request.quota not in COUNTED or request.count < 1:
            problem = f"must be one of {', '.join(COUNTED)}, and the count at least 1"
            raise InvalidFieldError(field="quota", problem=problem)
        limit = self._dev_key_messages.plans.get(dev_key.plan, {}).get(request.quota, 0)
        used = await self._quota_uses.use(dev_key.dev_key_id, request.quota, request.count, limit)
        return pb.UseDevKeyResponse(
            granted_count=used.granted,
            usage=self._dev_key_messages.usage(dev_key.plan, request.quota, used),
        )

    async def _repeat_dev_key(self, answer: Answered) -> pb.CreateDevKeyResponse:
        known = await self._dev_keys.answered(answer.caller_id, answer.request_id)
        if known is None or known.fingerprint != answer.fingerprint:
            raise IdempotencyMismatchError(request_id=answer.request_id)
        return pb.CreateDevKeyResponse.FromString(known.response)
