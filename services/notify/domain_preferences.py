"""How people want to be reached: by kind and channel, when not, and what holds by default."""

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .domain_inbox import Kind
from .errors import PreferenceInvalidError

INBOX, PUSH, EMAIL = 1, 2, 4
"""Bits of a kind's preference."""
PUSHED = {Kind.MENTION, Kind.REPLY, Kind.FOLLOW_REQUEST, Kind.TWEET, Kind.MESSAGE}
MAILED = {Kind.MENTION, Kind.REPLY, Kind.TWEET, Kind.MESSAGE}
MINUTES = 24 * 60
DIGEST_HOUR = 8
"""When a daily mail is due, in the user's time zone."""


class Channel(IntEnum):
    """A way to reach a user; the contract's numbers."""

    INBOX = 1
    PUSH = 2
    EMAIL = 3


class EmailMode(IntEnum):
    """When e-mail is sent; the contract's numbers."""

    IMMEDIATE = 1
    DAILY = 2
    OFF = 3


class Preferences(NamedTuple):
    """One user's; `kinds` are the bits by kind, quiet hours minutes after local midnight."""

    kinds: tuple[int, ...]
    email_mode: EmailMode = EmailMode.OFF
    quiet_start: int = 0
    quiet_end: int = 0
    time_zone: str = "UTC"
    only_following: bool = False

    def wants(self, kind: Kind, bit: int) -> bool:
        """Whether a kind is to go a way."""
        return bool(self.kinds[kind - 1] & bit)


DEFAULTS = Preferences(
    tuple(
        INBOX | (PUSH if kind in PUSHED else 0) | (EMAIL if kind in MAILED else 0) for kind in Kind
    )
)


def checked(preferences: Preferences) -> Preferences:
    """Refuse times that are none and zones that nobody knows."""
    for name, minute in (
        ("quiet_hours.start_minute", preferences.quiet_start),
        ("quiet_hours.end_minute", preferences.quiet_end),
    ):
        if not 0 <= minute < MINUTES:
            raise PreferenceInvalidError(field=name, problem=f"is {minute}, not 0 to {MINUTES - 1}")
    try:
        ZoneInfo(preferences.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problem = f"is {preferences.time_zone[:40]!r}, no zone like Europe/Berlin"
        raise PreferenceInvalidError(field="quiet_hours.time_zone", problem=problem) from None
    return preferences


def due_times(preferences: Preferences, kind: Kind, now: datetime) -> dict[Channel, datetime]:
    """By which channels something of a kind is delivered, and when."""
    due: dict[Channel, datetime] = {}
    if preferences.wants(kind, PUSH):
        due[Channel.PUSH] = after_quiet_hours(preferences, now)
    if preferences.wants(kind, EMAIL) and preferences.email_mode is EmailMode.IMMEDIATE:
        due[Channel.EMAIL] = after_quiet_hours(preferences, now)
    elif preferences.wants(kind, EMAIL) and preferences.email_mode is EmailMode.DAILY:
        due[Channel.EMAIL] = _next_at(preferences, DIGEST_HOUR * 60, now)
    return due


def after_quiet_hours(preferences: Preferences, now: datetime) -> datetime:
    """The moment itself, or the end of the quiet hours that it lies in."""
    start, end = preferences.quiet_start, preferences.quiet_end
    local = now.astimezone(ZoneInfo(preferences.time_zone))
    minute = local.hour * 60 + local.minute
    quiet = start <= minute < end if start <= end else minute >= start or minute < end
    return _next_at(preferences, end, now) if quiet else now


def _next_at(preferences: Preferences, minute: int, now: datetime) -> datetime:
    """The next time that it is so many minutes after midnight where the user is."""
    local = now.astimezone(ZoneInfo(preferences.time_zone))
    at = local.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0)
    if at <= local:
        at += timedelta(days=1)
    return at.astimezone(UTC)
