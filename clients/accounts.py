"""The part of the Graph client about accounts: users one by one, sessions, applications' keys."""

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1.user_pb2 import User

from .relations import SERVICE, RelationCalls


class AccountCalls(RelationCalls):
    """Calls about accounts; those that act for somebody carry the token."""

    def __init__(self, name: str, address: str, *, token: str = "") -> None:
        super().__init__(name, address, token=token)
        self._get_user = self.unary(f"{SERVICE}/GetUser", pb.GetUserResponse)
        self._lookup = self.unary(f"{SERVICE}/LookupUser", pb.LookupUserResponse)
        self._create_user = self.unary(f"{SERVICE}/CreateUser", pb.CreateUserResponse)
        self._update_user = self.unary(f"{SERVICE}/UpdateUser", pb.UpdateUserResponse)
        self._create_session = self.unary(f"{SERVICE}/CreateSession", pb.CreateSessionResponse)
        self._refresh = self.unary(f"{SERVICE}/RefreshSession", pb.RefreshSessionResponse)
        self._delete_session = self.unary(f"{SERVICE}/DeleteSession", pb.DeleteSessionResponse)
        self._use_dev_key = self.unary(f"{SERVICE}/UseDevKey", pb.UseDevKeyResponse)

    async def get_user(self, user_id: str = "me") -> User:
        """One user with exact counts; PeerError USER_NOT_FOUND."""
        request = pb.GetUserRequest(user_id=user_id)
        return (await self._get_user(request, metadata=self._metadata)).user

    async def set_protected(self, *, protected: bool) -> User:
        """Whether the caller's followers must be accepted; if not, all who wait are."""
        request = pb.UpdateUserRequest(protected=protected)
        return (await self._update_user(request, metadata=self._metadata)).user

    async def lookup(self, user_name: str) -> User:
        """The user of a name in any case; PeerError USER_NOT_FOUND."""
        request = pb.LookupUserRequest(user_name=user_name)
        return (await self._lookup(request, metadata=self._metadata)).user

    async def create_user(
        self,
        user_name: str,
        password: str,
        *,
        display_name: str = "",
        protected: bool = False,
        request_id: str = "",
    ) -> User:
        """Sign up."""
        request = pb.CreateUserRequest(
            user_name=user_name,
            password=password,
            display_name=display_name,
            protected=protected,
            request_id=request_id,
        )
        return (await self._create_user(request)).user

    async def create_session(
        self, user_name: str, password: str, *, api_dev_key: str = ""
    ) -> pb.CreateSessionResponse:
        """Log in."""
        return await self._create_session(
            pb.CreateSessionRequest(user_name=user_name, password=password, api_dev_key=api_dev_key)
        )

    async def refresh_session(self, refresh_token: str) -> pb.RefreshSessionResponse:
        """Exchange a refresh token, which works once."""
        return await self._refresh(pb.RefreshSessionRequest(refresh_token=refresh_token))

    async def delete_session(self, session_id: int) -> None:
        """Log out."""
        request = pb.DeleteSessionRequest(session_id=session_id)
        await self._delete_session(request, metadata=self._metadata)

    async def use_dev_key(self, api_dev_key: str, quota: str, count: int) -> pb.UseDevKeyResponse:
        """Use a part of an application's quota; PeerError DEV_KEY_INVALID."""
        request = pb.UseDevKeyRequest(api_dev_key=api_dev_key, quota=quota, count=count)
        return await self._use_dev_key(request)
