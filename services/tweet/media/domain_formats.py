"""Types of media, told by content, and the limits of bytes and pixels.

It imports nothing of ours, for it is read in the inspecting process too.
"""

from enum import IntEnum
from typing import NamedTuple

PHOTO_BYTES, VIDEO_BYTES = 5 << 20, 64 << 20
MAX_SIDE, MAX_PIXELS, MAX_ANIMATED_PIXELS = 8_192, 25_000_000, 64_000_000
"""Pixels of a side, of a picture, and of all pictures of a GIF together."""
MAX_FRAMES = 600
THUMBNAIL_SIDES = (320, 960)
HEAD_BYTES = 64
"""So many bytes tell the type."""
_MP4_BRANDS = {
    *(b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash"),
    *(b"M4V ", b"MSNV"),
}
_PICTURE_BRANDS = {b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"qt  "}


class Kind(IntEnum):
    """What a medium is; the numbers are the contract's."""

    PHOTO = 1
    ANIMATED_GIF = 2
    VIDEO = 3


class MediaType(NamedTuple):
    """A type that is accepted."""

    content_type: str
    extension: str
    kind: Kind

    @property
    def max_bytes(self) -> int:
        """The largest upload of this type."""
        return VIDEO_BYTES if self.kind is Kind.VIDEO else PHOTO_BYTES


JPEG = MediaType("image/jpeg", "jpg", Kind.PHOTO)
PNG = MediaType("image/png", "png", Kind.PHOTO)
WEBP = MediaType("image/webp", "webp", Kind.PHOTO)
GIF = MediaType("image/gif", "gif", Kind.ANIMATED_GIF)
MP4 = MediaType("video/mp4", "mp4", Kind.VIDEO)
WEBM = MediaType("video/webm", "webm", Kind.VIDEO)
TYPES = {each.extension: each for each in (JPEG, PNG, WEBP, GIF, MP4, WEBM)}
ACCEPTED = ", ".join(each.content_type for each in TYPES.values())


def type_of(head: bytes) -> MediaType | None:
    """The type that the first bytes tell, whatever anybody says of them; None for no such type."""
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head[:6] in {b"GIF87a", b"GIF89a"}:
        return GIF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return MP4 if _is_mp4(head) else None
    if head[:4] == b"\x1aE\xdf\xa3" and b"\x42\x82\x84webm" in head:
        return WEBM
    return None


def _is_mp4(head: bytes) -> bool:
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, size, 4))}
    return head[8:12] not in _PICTURE_BRANDS and bool(brands & _MP4_BRANDS)
