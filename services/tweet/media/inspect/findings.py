"""What an inspection finds, and how the two processes tell each other."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Picture:
    """A file to be stored."""

    file: str
    extension: str
    sha256: str
    size_bytes: int
    width: int
    height: int

    @property
    def key(self) -> str:
        """The name that its content gives it."""
        return f"{self.sha256}.{self.extension}"


@dataclass(frozen=True, slots=True)
class Findings:
    """A medium that is fine, cleaned and ready to be stored."""

    content: Picture
    thumbnails: tuple[Picture, ...] = ()
    duration_ms: int = 0

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str | bytes) -> "Findings":
        """From JSON."""
        found = json.loads(text)
        return cls(
            Picture(**found["content"]),
            tuple(Picture(**each) for each in found["thumbnails"]),
            found["duration_ms"],
        )


class BrokenError(Exception):
    """The bytes are not what their beginning promises; the text says why."""


class TooManyPixelsError(Exception):
    """A picture is larger than is decoded."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(f"{width} x {height}")
        self.width, self.height = width, height


def picture_of(path: Path, extension: str, width: int, height: int) -> Picture:
    """A finished file as it will be stored."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Picture(path.name, extension, digest, path.stat().st_size, width, height)
