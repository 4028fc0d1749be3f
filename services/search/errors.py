"""The reasons for which the Search service alone refuses a call."""

from grpc import StatusCode

from services.chassis.errors import ServiceError


class QueryInvalidError(ServiceError):
    """A query that cannot be understood, or would cost too much."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "QUERY_INVALID"
    template = "{field} {problem}"

    def __init__(self, problem: str, field: str = "query") -> None:
        super().__init__(field=field, problem=problem)
