"""Media that a tweet is to show: found, the author's own, and fit for one tweet."""

from collections.abc import Sequence

from ..errors import MediaNotFoundError
from .domain import MediaRow, check_together
from .store import MediaStore


class MediaFinder:
    """Finds what drafts name."""

    def __init__(self, store: MediaStore) -> None:
        self._store = store

    async def find(self, author_id: int, media_ids: Sequence[int]) -> list[MediaRow]:
        """The author's media, in this order. Raises MEDIA_NOT_FOUND and MEDIA_LIMIT."""
        if not media_ids:
            return []
        known = await self._store.get(media_ids)
        for media_id in media_ids:
            if media_id not in known or known[media_id].user_id != author_id:
                raise MediaNotFoundError(field="media_ids", media_id=media_id)
        rows = [known[media_id] for media_id in media_ids]
        check_together(rows)
        return rows
