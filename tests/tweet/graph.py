"""A Graph service that knows few things, served by the chassis for the Tweet service to call."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grpc import StatusCode

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1.dev_key_pb2 import Quota, QuotaUsage
from aviary.graph.v1.user_pb2 import MentionPolicy, User
from aviary.graph.v1.visibility_pb2 import VisibilityRule
from services.chassis.call import Call
from services.chassis.config import Settings
from services.chassis.errors import ServiceError, UnavailableError
from services.chassis.hosts import grpcio
from services.chassis.policy import Access, Policy, Rule
from services.chassis.server import Runtime, Service, open_server
from tests.ports import free_port

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["GraphService"]
NAMES = {"alice": 1001, "bob": 1002}
DEV_KEY, QUOTA = "a-good-key", 8


class UserNotFoundError(ServiceError):
    code = StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"
    template = "nobody is called {user_name}"


class DevKeyInvalidError(ServiceError):
    code = StatusCode.UNAUTHENTICATED
    reason = "DEV_KEY_INVALID"
    template = "no such key"


class GraphServicer:
    """Knows NAMES and DEV_KEY; `_delay` makes it slow.

    `_hidden` holds who hides from whom, viewer first, and why.
    """

    def __init__(self) -> None:
        self._delay = 0.0
        self._away = False
        self._asked: list[str] = []
        self._used = 0
        self._uses: list[int] = []
        self._hidden: dict[tuple[int, int], VisibilityRule] = {}
        self._checks: list[pb.CheckVisibilityRequest] = []
        self._policies: dict[int, MentionPolicy] = {}
        self._gone: set[int] = set()

    async def lookup_user(
        self, request: pb.LookupUserRequest, _call: Call
    ) -> pb.LookupUserResponse:
        self._asked.append(request.user_name)
        await asyncio.sleep(self._delay)
        if request.user_name.lower() not in NAMES:
            raise UserNotFoundError(user_name=request.user_name)
        return pb.LookupUserResponse(user=self._user(NAMES[request.user_name.lower()]))

    async def check_visibility(
        self, request: pb.CheckVisibilityRequest, _call: Call
    ) -> pb.CheckVisibilityResponse:
        self._checks.append(request)
        await asyncio.sleep(self._delay)
        if self._away:
            raise UnavailableError(resource="a store")
        reply = pb.CheckVisibilityResponse()
        for subject in request.subjects:
            users = (subject.author_user_id, subject.retweeter_user_id)
            viewer = subject.viewer_user_id or request.viewer_user_id
            rules = [self._hidden.get((viewer, user)) for user in users]
            rule = next(filter(None, rules), None)
            reply.verdicts.add(visible=rule is None, rule=rule)
        return reply

    async def batch_get_users(
        self, request: pb.BatchGetUsersRequest, _call: Call
    ) -> pb.BatchGetUsersResponse:
        """Everybody exists who is not `_gone`."""
        there = [user_id for user_id in request.user_ids if user_id not in self._gone]
        return pb.BatchGetUsersResponse(users=[self._user(user_id) for user_id in there])

    async def batch_get_viewer_rules(
        self, request: pb.BatchGetViewerRulesRequest, _call: Call
    ) -> pb.BatchGetViewerRulesResponse:
        """Everybody follows Bob."""
        bob = NAMES["bob"].to_bytes(8)
        rules = [pb.ViewerRules(user_id=user, following_ids=bob) for user in request.user_ids]
        return pb.BatchGetViewerRulesResponse(results=rules)

    def _user(self, user_id: int) -> User:
        names = {number: name for name, number in NAMES.items()}
        name = names.get(user_id, f"u{user_id}")
        return User(user_id=user_id, user_name=name, mention_policy=self._policies.get(user_id))

    async def use_dev_key(self, request: pb.UseDevKeyRequest, _call: Call) -> pb.UseDevKeyResponse:
        """A quota of QUOTA in all."""
        await asyncio.sleep(self._delay)
        if request.api_dev_key != DEV_KEY:
            raise DevKeyInvalidError
        granted = min(request.count, QUOTA - self._used)
        self._used += granted
        self._uses.append(request.count)
        usage = QuotaUsage(quota=Quota(name=request.quota, limit=QUOTA), used=self._used)
        usage.reset_time.FromSeconds(int(time.time()) + 30)
        return pb.UseDevKeyResponse(granted_count=granted, usage=usage)


@asynccontextmanager
async def graph(config: Settings) -> AsyncIterator[tuple[Settings, GraphServicer]]:
    """The settings with its address, and the servicer."""
    servicer = GraphServicer()
    paths = [f"/{DESCRIPTOR.full_name}/{method.name}" for method in DESCRIPTOR.methods]
    policy = Policy({path: Rule(Access.PUBLIC, "") for path in paths})

    @asynccontextmanager
    async def compose(_runtime: Runtime) -> AsyncIterator[Service]:
        yield Service({DESCRIPTOR: servicer}, {}, policy)

    address = f"127.0.0.1:{free_port()}"
    async with open_server("graph", compose, Settings(log_level="error")) as server:
        listener = await grpcio.listen(server, address)
        try:
            yield dataclasses.replace(config, graph_address=address), servicer
        finally:
            await listener.stop(0)
