"""ParseQuery: how a query is understood."""

from aviary.search.v1 import query_pb2
from aviary.search.v1 import search_service_pb2 as pb
from services.chassis.call import Call

from ..analysis import Kind
from ..finding import Finder
from ..query.understanding import expression_of, understand
from ..tree_messages import message_of

KINDS = {
    Kind.WORD: query_pb2.TOKEN_KIND_WORD,
    Kind.HASHTAG: query_pb2.TOKEN_KIND_HASHTAG,
    Kind.MENTION: query_pb2.TOKEN_KIND_MENTION,
    Kind.URL: query_pb2.TOKEN_KIND_URL,
    Kind.EMOJI: query_pb2.TOKEN_KIND_EMOJI,
}


class ParsingMethods:
    """ParseQuery."""

    def __init__(self, finder: Finder) -> None:
        self._parsing_finder = finder

    async def parse_query(
        self, request: pb.ParseQueryRequest, _call: Call
    ) -> pb.ParseQueryResponse:
        """Answer every step of understanding a query."""
        understood = understand(request.query)
        if not request.exact:
            understood = await self._parsing_finder.correct(understood)
        fixed = {each.original: each.corrected for each in understood.corrections}
        reply = pb.ParseQueryResponse(
            plain_query=understood.plain,
            corrected_query=understood.corrected_query,
            tree=message_of(understood.tree),
            expression=expression_of(understood.tree),
        )
        for token in understood.tokens:
            reply.tokens.add(
                text=understood.plain[token.start : token.end],
                term=fixed.get(token.term, token.term) if token.kind is Kind.WORD else token.term,
                kind=KINDS[token.kind],
                start=token.start,
                end=token.end,
            )
        for each in understood.corrections:
            reply.corrections.add(**each._asdict())
        return reply
