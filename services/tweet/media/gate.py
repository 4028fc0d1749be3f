"""How much content is being sent: beyond the limit a request is refused."""

from types import TracebackType

from services.chassis.errors import OverloadedError


class DownloadGate:
    """A context of one download."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0

    def __enter__(self) -> None:
        """Take a place; OVERLOADED where there is none."""
        if self._count >= self._limit:
            raise OverloadedError(resource="the download of media")
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        self._count -= 1
