"""What one call hands on to the calls that it causes: deadline, request id, trace, caller."""

import time
from contextvars import ContextVar
from dataclasses import dataclass

DEFAULT_TIMEOUT = 5.0
"""Seconds that an outgoing call may take when nothing stricter is known."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The call being served while another is made."""

    deadline: float | None = None
    """Moment on `time.monotonic()`'s clock by which the caller wants an answer."""
    metadata: tuple[tuple[str, str], ...] = ()
    """Metadata handed on: request id, traceparent, caller."""

    def timeout(self) -> float:
        """Seconds left for an outgoing call, never more than the default."""
        if self.deadline is None:
            return DEFAULT_TIMEOUT
        return min(DEFAULT_TIMEOUT, max(0.001, self.deadline - time.monotonic()))


current: ContextVar[Origin] = ContextVar("aviary_origin", default=Origin())  # noqa: B039
