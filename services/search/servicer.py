"""`aviary.search.v1.SearchService` whole, from the parts that serve it."""

from aviary.search.v1 import search_service_pb2 as pb

from .trends.methods import TrendMethods

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["SearchService"]


class SearchServicer(TrendMethods):
    """The methods served so far; what the contract has beyond them answers UNIMPLEMENTED."""
