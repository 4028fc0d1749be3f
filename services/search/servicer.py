"""`aviary.search.v1.SearchService`: requests to work, and work to replies."""

from aviary.search.v1 import search_service_pb2 as pb

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["SearchService"]


class SearchServicer:
    """The methods served so far; what the contract has beyond them answers UNIMPLEMENTED."""
