"""Rules of accounts: names, passwords, profiles, plans."""

import re
import unicodedata
from collections.abc import Collection
from typing import NamedTuple

from services.chassis.errors import InvalidFieldError

from .errors import PasswordInvalidError, UserNameInvalidError

MAX_USER_NAME = 15
MIN_PASSWORD, MAX_PASSWORD = 8, 128
MAX_DISPLAY_NAME, MAX_DESCRIPTION, MAX_EMAIL = 50, 160, 254
MAX_ID = (1 << 63) - 1
"""Above every id: where a list begins that is read from its newest entry."""
MAX_KEY_NAME = 50
MAX_BATCH_USERS = 100
MAX_IMPORT_NAMES = 5_000
DEFAULT_PLAN = "free"
MAX_LOGIN_FAILURES = 5
"""Failed logins a minute for one account from one address."""
MAX_WIDE_LOGIN_FAILURES = 50
"""Failed logins a minute for one account from anywhere, and from one address for any account."""
LOGIN_WINDOW_SECONDS = 60
REFRESH_TOKEN_DAYS = 30
EVERYONE, FOLLOWING, NOBODY = MENTION_POLICIES = (1, 2, 3)
_USER_NAME = re.compile(rf"[A-Za-z0-9_]{{1,{MAX_USER_NAME}}}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class User(NamedTuple):
    """The public side of an account."""

    user_id: int
    user_name: str
    display_name: str
    description: str = ""
    protected: bool = False
    followers_count: int = 0
    following_count: int = 0
    mention_policy: int = 1
    """The number of `aviary.graph.v1.MentionPolicy`."""


class Account(NamedTuple):
    """An account to make: what is public, and what is not."""

    user: User
    email: str
    password_hash: str


class ProfileChange(NamedTuple):
    """What changes of an account; None stays as it is."""

    user_name: str | None = None
    display_name: str | None = None
    description: str | None = None
    email: str | None = None
    protected: bool | None = None
    password_hash: str | None = None
    mention_policy: int | None = None


def is_user_name(text: str) -> bool:
    """Whether a text could be a user name."""
    return _USER_NAME.fullmatch(text) is not None


def check_user_name(text: str, field: str = "user_name") -> str:
    """The name, if it keeps the rules."""
    if not is_user_name(text):
        raise UserNameInvalidError(field=field, maximum=MAX_USER_NAME)
    return text


def check_password(text: str) -> str:
    """The password, if it keeps the rules."""
    if not MIN_PASSWORD <= len(text) <= MAX_PASSWORD:
        raise PasswordInvalidError(field="password", minimum=MIN_PASSWORD, maximum=MAX_PASSWORD)
    return text


def check_text(field: str, text: str, maximum: int, *, lines: bool = False) -> str:
    """A text for people: not too long, and without control characters (but line ends)."""
    if len(text) > maximum:
        raise InvalidFieldError(
            field=field, problem=f"is {len(text)} characters long, at most {maximum} are allowed"
        )
    allowed = "\n" if lines else ""
    if any(unicodedata.category(c) == "Cc" and c not in allowed for c in text):
        raise InvalidFieldError(field=field, problem="holds a control character")
    return text


def check_mention_policy(number: int) -> int:
    """Whose tweets may tag a user, if it is one of those that there are."""
    if number not in MENTION_POLICIES:
        raise InvalidFieldError(
            field="mention_policy", problem="must say EVERYONE, FOLLOWING or NOBODY"
        )
    return number


def check_email(text: str) -> str:
    """An e-mail address, or nothing; whether it works is found out by writing to it."""
    check_text("email", text, MAX_EMAIL)
    if text and not _EMAIL.fullmatch(text):
        raise InvalidFieldError(field="email", problem="is not an e-mail address")
    return text


def check_key_name(text: str) -> str:
    """The name of an application."""
    if not text.strip():
        raise InvalidFieldError(field="name", problem="is required")
    return check_text("name", text, MAX_KEY_NAME)


def check_plan(text: str, plans: Collection[str]) -> str:
    """A plan by name; the default one where none is named."""
    plan = text or DEFAULT_PLAN
    if plan not in plans:
        raise InvalidFieldError(field="plan", problem=f"is none of {', '.join(plans)}")
    return plan
