"""GraphService whole, from the parts that serve it."""

from collections.abc import Callable

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.tokens import TokenSigner

from ..credentials import Credentials
from ..passwords import Passwords
from ..store.stores import Stores
from .dev_keys import DevKeyMethods
from .follow_ids import FollowIdMethods
from .follows import FollowMethods
from .imports import ImportMethods
from .messages import Messages
from .sessions import SessionMethods
from .users import UserMethods

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["GraphService"]


class GraphServicer(
    UserMethods, SessionMethods, DevKeyMethods, FollowMethods, FollowIdMethods, ImportMethods
):
    """Every method that this version serves."""

    def __init__(
        self,
        stores: Stores,
        passwords: Passwords,
        signer: TokenSigner,
        messages: Messages,
        next_id: Callable[[], int],
    ) -> None:
        users, cache, writer = stores.users, stores.user_cache, stores.follow_writer
        credentials = Credentials(users, passwords, stores.login_failures)
        UserMethods.__init__(self, users, cache, passwords, credentials, messages, next_id)
        SessionMethods.__init__(
            self, stores.sessions, stores.dev_keys, credentials, signer, messages, next_id
        )
        DevKeyMethods.__init__(self, stores.dev_keys, messages, next_id)
        FollowMethods.__init__(self, stores.follows, writer, users, cache)
        FollowIdMethods.__init__(self, stores.follow_ids, stores.follower_cache, users)
        ImportMethods.__init__(self, users, writer, messages, next_id)
