"""Reasons that only the Timeline service gives."""

from grpc import StatusCode

from services.chassis.errors import ServiceError


class UserNotFoundError(ServiceError):
    """There is no such user."""

    code = StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"
    template = "there is no user {user_id}"
    field = "user_id"
