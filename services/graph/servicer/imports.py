"""Bulk imports: a batch in, an answer out, durable when answered; and everybody, streamed."""

from collections.abc import AsyncIterator, Callable

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError

from ..domain import MAX_IMPORT_NAMES, User, check_user_name
from ..domain_follows import Action, Command, check_not_self, unpack_pairs
from ..store.follow_writer import FollowWriter
from ..store.users import PostgresUsers
from .messages import Messages

SCAN_ROWS = 1_000


class ImportMethods:
    """ImportUsers, ImportFollows, and ScanUsers."""

    def __init__(
        self,
        users: PostgresUsers,
        writer: FollowWriter,
        messages: Messages,
        next_id: Callable[[], int],
    ) -> None:
        self._imported_users = users
        self._import_writer = writer
        self._import_messages = messages
        self._next_import_id = next_id

    async def scan_users(
        self, request: pb.ScanUsersRequest, _call: Call
    ) -> AsyncIterator[pb.ScanUsersResponse]:
        """Stream every user."""
        after = request.after_user_id
        while users := await self._imported_users.after(after, SCAN_ROWS):
            yield pb.ScanUsersResponse(users=map(self._import_messages.user, users))
            after = users[-1].user_id

    async def import_users(
        self, requests: AsyncIterator[pb.ImportUsersRequest], _call: Call
    ) -> AsyncIterator[pb.ImportUsersResponse]:
        """Make users by name."""
        async for request in requests:
            names = _check_names(request)
            users = [User(self._next_import_id(), name, name) for name in names.values()]
            ids, made = await self._imported_users.import_names(
                users, self._import_messages.user_created
            )
            yield pb.ImportUsersResponse(
                user_ids=[ids[name.lower()] for name in request.user_names], created_count=made
            )

    async def import_follows(
        self, requests: AsyncIterator[pb.ImportFollowsRequest], _call: Call
    ) -> AsyncIterator[pb.ImportFollowsResponse]:
        """Make follows."""
        async for request in requests:
            commands = []
            for user_id, target_user_id in unpack_pairs(request.pairs):
                check_not_self(user_id, target_user_id)
                commands.append(Command(Action.FOLLOW, user_id, target_user_id))
            settlement = await self._import_writer.carry_out_all(commands)
            yield pb.ImportFollowsResponse(created_count=len(settlement.changes))


def _check_names(request: pb.ImportUsersRequest) -> dict[str, str]:
    """The batch's names by lower case, each once."""
    if not 1 <= len(request.user_names) <= MAX_IMPORT_NAMES:
        raise InvalidFieldError(
            field="user_names",
            problem=f"holds {len(request.user_names)} names; 1 to {MAX_IMPORT_NAMES} are allowed",
        )
    return {name.lower(): check_user_name(name, "user_names") for name in request.user_names}
