"""`python -m services.tweet.media.inspect TYPE FOLDER`: inspect `FOLDER/body`, print the findings.

Exit codes: 0 with the findings as JSON, 3 for a broken medium (the reason on stdout), 4 for one
with too many pixels (width and height on stdout). Anything else is a crash or a limit.
"""

import resource
import sys
from pathlib import Path

from ..domain_formats import MP4, TYPES, VIDEO_BYTES, WEBM
from . import mp4, webm
from .findings import BrokenError, Findings, TooManyPixelsError

BROKEN, TOO_MANY_PIXELS = 3, 4
MEMORY_BYTES, CPU_SECONDS = 768 << 20, 20
LIMITS = (
    (resource.RLIMIT_AS, MEMORY_BYTES),
    (resource.RLIMIT_CPU, CPU_SECONDS),
    (resource.RLIMIT_FSIZE, VIDEO_BYTES + (16 << 20)),
    (resource.RLIMIT_NOFILE, 32),
    (resource.RLIMIT_CORE, 0),
)


def main(extension: str, folder: Path) -> int:
    """Inspect one upload within the limits."""
    for limit, value in LIMITS:
        resource.setrlimit(limit, (value, value))
    try:
        print(_inspect(extension, folder).dump())
    except BrokenError as error:
        print(str(error)[:200])
        return BROKEN
    except TooManyPixelsError as error:
        print(error.width, error.height)
        return TOO_MANY_PIXELS
    return 0


def _inspect(extension: str, folder: Path) -> Findings:
    kind, source = TYPES[extension], folder / "body"
    if kind is MP4:
        return mp4.inspect(source)
    if kind is WEBM:
        return webm.inspect(source)
    from . import images  # Pillow takes longer to load than a video to be walked

    return images.inspect(source, kind, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
