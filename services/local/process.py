"""One row of the table of processes: what runs, what it needs, and how one sees that it works."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.local import launch
from services.local.accounts import Account
from services.local.probes import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process as data; several replicas of a service are rows with names such as `tweet.2`."""

    name: str
    zone: str = ""
    """The zone that it belongs to, where there are several."""
    argv: tuple[str, ...]
    """The program's absolute path and its arguments."""
    environ: Mapping[str, str]
    """The whole environment."""
    probe: Probe
    needs: frozenset[str] = frozenset()
    """Names of the processes that must be healthy before this one starts."""
    ports: Mapping[str, int] = field(default_factory=dict)
    folder: Path | None = None
    """Working folder; ours if None."""
    account: Account | None = None
    """Whom it runs as; ourselves if None."""
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGKILL)
    """Sent one after the other, `grace_seconds` apart, until the process ends."""
    death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends when the supervisor is killed."""
    grace_seconds: float = 15.0
    start_seconds: float = 60.0
    """How long it may take until it is healthy."""
    prepare: Callable[[], Awaitable[None]] | None = None
    """Done before each start."""
    ended: Callable[[], Awaitable[None]] | None = None
    """Done when it has ended by itself, before it is started again; it waits rather than fails."""
    hold: Path | None = None
    """While this file exists, the process is not started again: drills take it away with that."""
    complete: Callable[[], Awaitable[None]] | None = None
    """Done when it is healthy for the first time; those that need it wait."""


def launched(
    argv: tuple[str, ...], *, account: Account | None, death_signal: signal.Signals
) -> tuple[str, ...]:
    """Return the command that runs another one as the account and ties its life to this process."""
    user = f"{account.uid}:{account.gid}" if account else "-"
    launcher = (sys.executable, "-I", "-S", launch.__file__)
    return (*launcher, str(os.getpid()), str(int(death_signal)), user, *argv)
