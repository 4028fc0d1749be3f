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


class MessageInvalidError(InvalidFieldError):
    """A text or title that cannot be sent."""


class ConversationNotFoundError(ServiceError):
    """No such conversation, or the caller is not in it."""

    code = StatusCode.NOT_FOUND
    reason = "CONVERSATION_NOT_FOUND"
    template = "there is no conversation {conversation_id} of yours"


class ConversationMembersError(ServiceError):
    """A conversation of too few or too many members."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "CONVERSATION_MEMBERS"
    template = "{field}: {count} members with you; {minimum} to {maximum} are allowed"


class MessageEmptyError(ServiceError):
    """A message has nothing to be seen and shares no tweet."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MESSAGE_EMPTY"
    template = "{field} is empty; at least {minimum} visible character, or a tweet, is needed"


class MessageTooLongError(ServiceError):
    """A message is longer than allowed."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MESSAGE_TOO_LONG"
    template = "{field} is {length} characters long, at most {maximum} are allowed"


class MessageNotFoundError(ServiceError):
    """The conversation has no such message for the caller."""

    code = StatusCode.NOT_FOUND
    reason = "MESSAGE_NOT_FOUND"
    template = "there is no message {message_id} in this conversation"


class TweetNotShareableError(ServiceError):
    """A member of the conversation may not see the tweet."""

    code = StatusCode.PERMISSION_DENIED
    reason = "TWEET_NOT_SHAREABLE"
    template = "not everybody in this conversation may see tweet {tweet_id}"


class TweetNotFoundError(ServiceError):
    """No such tweet, or none that the caller may see."""

    code = StatusCode.NOT_FOUND
    reason = "TWEET_NOT_FOUND"
    template = "there is no tweet {tweet_id}"


class UserNotFoundError(ServiceError):
    """Somebody who shall be in a conversation does not exist."""

    code = StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"
    template = "there is no user {user_id}"


class BlockedError(ServiceError):
    """One of the two has blocked the other."""

    code = StatusCode.PERMISSION_DENIED
    reason = "BLOCKED"
    template = "of user {user_id} and user {target_user_id} one has blocked the other"
