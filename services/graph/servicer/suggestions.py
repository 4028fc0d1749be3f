"""Who to follow.

A page chain keeps its order in the token: candidates are ranked once, and each page asks again who
of them may be suggested and why. So whom the caller follows or dismisses meanwhile goes, and what
others do can neither repeat nor skip anybody.
"""

import struct
from collections.abc import Sequence

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1 import suggestion_pb2
from services.chassis.call import Call
from services.chassis.errors import PageTokenError
from services.chassis.paging import decode_ranked_token, encode_page_token, page_size_of

from ..domain_follows import ID_BYTES
from ..domain_suggestions import MAX_RANKED, Candidate, reason_of
from ..store.suggestions import PostgresSuggestions
from ..store.user_cache import UserCache

NAME = "suggestions"
CHUNK = 20
"""Candidates explained at a time, at least: small pages must not make many statements."""


class SuggestionMethods:
    """SuggestUsers, DismissSuggestion."""

    def __init__(self, suggestions: PostgresSuggestions, cache: UserCache) -> None:
        self._suggestions = suggestions
        self._suggested_users = cache

    async def suggest_users(
        self, request: pb.SuggestUsersRequest, call: Call
    ) -> pb.SuggestUsersResponse:
        """A page of whom the caller may follow."""
        user_id = call.own_user_id(request.user_id)
        size = page_size_of(request.page_size)
        ranked = _ranked_of(request.page_token, user_id)
        if ranked is None:
            ranked = await self._suggestions.rank(user_id)
        found = await self._explained(user_id, ranked, size + 1)
        reply = pb.SuggestUsersResponse(suggestions=await self._suggestion_messages(found[:size]))
        if len(found) > size:
            rest = ranked[ranked.index(found[size].user_id) :]
            packed = struct.pack(f">{len(rest)}q", *rest)
            reply.next_page_token = encode_page_token([len(rest)], NAME, user_id, snapshot=packed)
        return reply

    async def dismiss_suggestion(
        self, request: pb.DismissSuggestionRequest, call: Call
    ) -> pb.DismissSuggestionResponse:
        """Suggest a user to the caller no more."""
        user_id = call.own_user_id(request.user_id)
        await self._suggestions.dismiss(user_id, request.target_user_id)
        return pb.DismissSuggestionResponse()

    async def _explained(self, user_id: int, ranked: Sequence[int], wanted: int) -> list[Candidate]:
        """At least so many candidates from the front, if there are."""
        found: list[Candidate] = []
        start = 0
        while len(found) < wanted and start < len(ranked):
            end = start + max(CHUNK, wanted - len(found))
            found += await self._suggestions.explain(user_id, ranked[start:end])
            start = end
        return found

    async def _suggestion_messages(
        self, candidates: Sequence[Candidate]
    ) -> list[suggestion_pb2.Suggestion]:
        ids = dict.fromkeys(one.user_id for one in candidates)
        ids |= dict.fromkeys(via for one in candidates for via in one.via_ids)
        raw = await self._suggested_users.join(list(ids))
        users = {user.user_id: user for user in pb.BatchGetUsersResponse.FromString(raw).users}
        names = {user_id: user.user_name for user_id, user in users.items()}
        return [
            suggestion_pb2.Suggestion(
                user=users[one.user_id],
                reason=reason_of(one, names),
                via_user_ids=one.via_ids,
            )
            for one in candidates
            if one.user_id in users
        ]


def _ranked_of(page_token: str, user_id: int) -> list[int] | None:
    """The order that a token holds; None without one."""
    position, snapshot = decode_ranked_token(page_token, NAME, user_id)
    if not position:
        return None
    count = len(snapshot) // ID_BYTES
    if position != (count,) or len(snapshot) % ID_BYTES or not 1 <= count <= MAX_RANKED:
        raise PageTokenError
    return list(struct.unpack(f">{count}q", snapshot))
