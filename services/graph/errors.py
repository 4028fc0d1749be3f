"""The reasons for which this service refuses a call; the catalogue is in protos/aviary/errors."""

from grpc import StatusCode

from services.chassis.errors import ServiceError


class UserNotFoundError(ServiceError):
    """No user has this id."""

    code = StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"
    template = "there is no user {user_id}"


class UserNameNotFoundError(ServiceError):
    """No user has this name."""

    code = StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"
    template = "there is no user named {user_name}"


class UserNameTakenError(ServiceError):
    """Another user has this name, in whatever case."""

    code = StatusCode.ALREADY_EXISTS
    reason = "USER_NAME_TAKEN"
    template = "the user name {user_name} is taken"
    field = "user_name"


class UserNameInvalidError(ServiceError):
    """A user name breaks the rules."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "USER_NAME_INVALID"
    template = "{field} must be 1 to {maximum} of A-Z, a-z, 0-9 and underscore"


class PasswordInvalidError(ServiceError):
    """A new password is too short or too long."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "PASSWORD_INVALID"
    template = "{field} must have {minimum} to {maximum} characters"


class SelfFollowError(ServiceError):
    """Somebody would follow, block or mute themselves."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "SELF_FOLLOW"
    template = "{field} is the user {user_id} itself"


class FollowNotFoundError(ServiceError):
    """There is no such follow to change."""

    code = StatusCode.NOT_FOUND
    reason = "FOLLOW_NOT_FOUND"
    template = "user {user_id} does not follow user {target_user_id}"


class FollowRequestNotFoundError(ServiceError):
    """There is no such request to accept."""

    code = StatusCode.NOT_FOUND
    reason = "FOLLOW_REQUEST_NOT_FOUND"
    template = "user {requester_user_id} does not wait to follow user {user_id}"


class BlockedError(ServiceError):
    """A block, in either direction, stands between two users."""

    code = StatusCode.PERMISSION_DENIED
    reason = "BLOCKED"
    template = "a block between user {user_id} and user {target_user_id} forbids this"


class CredentialsInvalidError(ServiceError):
    """Wrong user name or wrong password; which of the two is not said."""

    code = StatusCode.UNAUTHENTICATED
    reason = "CREDENTIALS_INVALID"
    template = "the user name or the password is wrong"


class RefreshTokenInvalidError(ServiceError):
    """The refresh token is unknown, expired or spent."""

    code = StatusCode.UNAUTHENTICATED
    reason = "REFRESH_TOKEN_INVALID"
    template = "the refresh token is unknown, expired or was used before; log in again"


class SessionNotFoundError(ServiceError):
    """The caller has no such session."""

    code = StatusCode.NOT_FOUND
    reason = "SESSION_NOT_FOUND"
    template = "you have no session {session_id}"


class DevKeyInvalidError(ServiceError):
    """The application's key is unknown or withdrawn."""

    code = StatusCode.UNAUTHENTICATED
    reason = "DEV_KEY_INVALID"
    template = "the api_dev_key is unknown or was withdrawn"
    field = "api_dev_key"


class DevKeyNotFoundError(ServiceError):
    """The caller has no such application."""

    code = StatusCode.NOT_FOUND
    reason = "DEV_KEY_NOT_FOUND"
    template = "you have no application {dev_key_id}"
