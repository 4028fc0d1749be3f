"""What the user's commands can fail with, each in one line."""

from pathlib import Path


class CommandError(Exception):
    """Base of the errors that are shown without a traceback."""


class NotLoggedInError(CommandError):
    """The command needs a user."""

    def __init__(self) -> None:
        super().__init__("you are not logged in; use 'aviary login NAME' or 'aviary signup NAME'")


class EdgeListError(CommandError):
    """A line of an edge list is malformed."""

    def __init__(self, file: Path, line: int, text: str, problem: str) -> None:
        super().__init__(f"{file}, line {line}: {text[:60]!r} {problem}")


class NoSigningKeyError(CommandError):
    """Tokens need the private key."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"there is no signing key at {path}; run 'aviary up' first")


class PlanError(CommandError):
    """What a plan was asked for cannot be worked out."""
