"""The reasons for which the Tweet service alone refuses a call."""

from grpc import StatusCode

from services.chassis.errors import ServiceError


class StatusEmptyError(ServiceError):
    """The status has nothing to be seen."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "STATUS_EMPTY"
    template = "{field} is empty; at least {minimum} visible character is needed"


class StatusTooLongError(ServiceError):
    """The status is longer than allowed."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "STATUS_TOO_LONG"
    template = "{field} is {length} characters long, at most {maximum} are allowed"


class LocationInvalidError(ServiceError):
    """A location is no point on the earth, or not readable as one."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "LOCATION_INVALID"
    template = "{field} must be longitude and latitude in degrees, from {minimum} to {maximum}"


class MediaNotFoundError(ServiceError):
    """A media id is unknown."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MEDIA_NOT_FOUND"
    template = "{field}: there is no media {media_id} of yours"


class MediaLimitError(ServiceError):
    """More media than a tweet takes."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MEDIA_LIMIT"
    template = "{field}: a tweet takes at most {maximum} media"


class TweetNotFoundError(ServiceError):
    """No such tweet, or none that the caller may see or delete."""

    code = StatusCode.NOT_FOUND
    reason = "TWEET_NOT_FOUND"
    template = "there is no tweet {tweet_id}"


class ReplyTargetNotFoundError(ServiceError):
    """The tweet to answer does not exist."""

    code = StatusCode.NOT_FOUND
    reason = "REPLY_TARGET_NOT_FOUND"
    template = "{field}: there is no tweet {tweet_id} to reply to"


class QuoteTargetNotFoundError(ServiceError):
    """The tweet to quote does not exist."""

    code = StatusCode.NOT_FOUND
    reason = "QUOTE_TARGET_NOT_FOUND"
    template = "{field}: there is no tweet {tweet_id} to quote"


class MomentNotFoundError(ServiceError):
    """There is no such moment."""

    code = StatusCode.NOT_FOUND
    reason = "MOMENT_NOT_FOUND"
    template = "there is no moment {moment_id}"


class BlockedError(ServiceError):
    """The caller and the author of the tweet to answer or quote: one has blocked the other."""

    code = StatusCode.PERMISSION_DENIED
    reason = "BLOCKED"
    template = "of user {user_id} and user {target_user_id} one has blocked the other"


class DevKeyInvalidError(ServiceError):
    """The application's key is unknown or withdrawn."""

    code = StatusCode.UNAUTHENTICATED
    reason = "DEV_KEY_INVALID"
    template = "{field} is not the key of a registered application"

    def __init__(self) -> None:
        super().__init__(field="api_dev_key")
