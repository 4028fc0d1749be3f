"""GraphService whole, from the parts that serve it."""

from collections.abc import Callable

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.tokens import TokenSigner

from ..credentials import Credentials
from ..passwords import Passwords
from ..store.stores import Stores
from .blocks import BlockMethods
from .dev_keys import DevKeyMethods
from .follow_ids import FollowIdMethods
from .follow_requests import FollowRequestMethods
from .follows import FollowMethods
from .imports import ImportMethods
from .messages import Messages
from .mutes import MuteMethods
from .notified import NotifiedMethods
from .sessions import SessionMethods
from .suggestions import SuggestionMethods
from .user_pages import UserPages
from .users import UserMethods
from .visibility import VisibilityMethods

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["GraphService"]


class GraphServicer(
    UserMethods,
    SessionMethods,
    DevKeyMethods,
    FollowMethods,
    FollowRequestMethods,
    BlockMethods,
    MuteMethods,
    SuggestionMethods,
    VisibilityMethods,
    FollowIdMethods,
    NotifiedMethods,
    ImportMethods,
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
        pages = UserPages(cache)
        UserMethods.__init__(
            self,
            users,
            cache,
            stores.profile_writer,
            passwords,
            credentials,
            messages,
            next_id,
        )
        SessionMethods.__init__(
            self, stores.sessions, stores.dev_keys, credentials, signer, messages, next_id
        )
        DevKeyMethods.__init__(self, stores.dev_keys, stores.quota_uses, messages, next_id)
        FollowMethods.__init__(self, stores.follows, writer, users, pages)
        FollowRequestMethods.__init__(self, stores.follows, writer, pages)
        BlockMethods.__init__(self, stores.follows, writer, pages)
        MuteMethods.__init__(self, stores.mutes, cache, next_id)
        SuggestionMethods.__init__(self, stores.suggestions, cache)
        VisibilityMethods.__init__(self, stores.relations)
        FollowIdMethods.__init__(self, stores.follow_ids, stores.follower_cache, users)
        NotifiedMethods.__init__(self, stores.follow_ids, users)
        ImportMethods.__init__(self, users, writer, messages, next_id)
