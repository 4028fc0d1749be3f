"""Reasons that only the Timeline service gives."""

from grpc import StatusCode

from services.chassis.errors import ServiceError


class UserNotFoundError(ServiceError):
    """There is no such user."""

    code = StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"
    template = "there is no user {user_id}"
    field = "user_id"


class UserNotVisibleError(ServiceError):
    """The user's tweets are closed to the caller, by the rule of that name."""

    code = StatusCode.PERMISSION_DENIED
    reason = "USER_NOT_VISIBLE"
    template = "the tweets of user {user_id} are closed to you ({rule})"
    field = "user_id"
