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
    """A tweet is to show a medium that is unknown, not ready, or somebody else's."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MEDIA_NOT_FOUND"
    template = "{field}: there is no media {media_id} of yours"


class MediaLimitError(ServiceError):
    """More media than a tweet takes."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MEDIA_LIMIT"
    template = "{field}: a tweet takes at most {maximum} media: four photos, or one video or GIF"


class MediaTagLimitError(ServiceError):
    """More users are tagged than a tweet's photos take."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MEDIA_TAG_LIMIT"
    template = "{field}: {count} users are tagged, a tweet takes at most {maximum}"


class MediaTagNeedsPhotoError(ServiceError):
    """Users are tagged in a tweet without a photo."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MEDIA_TAG_NEEDS_PHOTO"
    template = "{field}: users are tagged in photos, and the tweet shows none"


class TaggedUserNotFoundError(ServiceError):
    """Somebody who is to be tagged does not exist."""

    code = StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"
    template = "{field}: there is no user {user}"


class NoSuchMediaError(ServiceError):
    """There is no such medium, or none that the caller may see."""

    code = StatusCode.NOT_FOUND
    reason = "MEDIA_NOT_FOUND"
    template = "there is no media {media_id}"


class MediaTypeUnsupportedError(ServiceError):
    """The bytes are none of the accepted types."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MEDIA_TYPE_UNSUPPORTED"
    template = "{field} is none of the accepted types: {accepted}"


class MediaTooLargeError(ServiceError):
    """More bytes than the type may have."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MEDIA_TOO_LARGE"
    template = "{field} has more than {maximum_bytes} bytes, the most for its type"


class MediaPixelsError(ServiceError):
    """More pixels than are decoded."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MEDIA_TOO_LARGE"
    template = (
        "{field} has {width} x {height} pixels; at most {maximum_side} a side and"
        " {maximum_pixels} in all are decoded"
    )


class MediaBrokenError(ServiceError):
    """The bytes begin as an accepted type and are not one, or are cut."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MEDIA_BROKEN"
    template = "{field} begins as {content_type} and cannot be read as that: {problem}"


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
