"""The reasons for which the Notify service alone refuses a call."""

from grpc import StatusCode

from services.chassis.errors import InvalidFieldError, ServiceError


class PreferenceInvalidError(InvalidFieldError):
    """A preference that cannot be kept."""


class NotificationNotFoundError(ServiceError):
    """The caller's inbox has no such notification."""

    code = StatusCode.NOT_FOUND
    reason = "NOTIFICATION_NOT_FOUND"
    template = "there is no notification {notification_id} in your inbox"


class PushEndpointRefusedError(ServiceError):
    """A push endpoint that the service does not call."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "PUSH_ENDPOINT_REFUSED"
    template = "{field} {problem}"

    def __init__(self, problem: str) -> None:
        super().__init__(field="endpoint", problem=problem)


class PushSubscriptionLimitError(ServiceError):
    """The caller has as many push subscriptions as are allowed."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "PUSH_SUBSCRIPTION_LIMIT"
    template = "you have {maximum} push subscriptions, as many as are allowed"


class PushSubscriptionNotFoundError(ServiceError):
    """The caller has no such push subscription."""

    code = StatusCode.NOT_FOUND
    reason = "PUSH_SUBSCRIPTION_NOT_FOUND"
    template = "you have no push subscription {subscription_id}"


class UnsubscribeTokenInvalidError(ServiceError):
    """The token of an unsubscribe link was not made by this service."""

    code = StatusCode.NOT_FOUND
    reason = "UNSUBSCRIBE_TOKEN_INVALID"
    template = "this link is not one of ours; the last mail has a valid one"
