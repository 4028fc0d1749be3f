"""Media to upload: pictures made by Pillow, films made box by box."""

import io
import struct
import zipfile
from typing import Any

from PIL import Image, ImageFilter

GPS = {1: "N", 2: (48.0, 51.0, 24.0), 3: "E", 4: (2.0, 21.0, 8.0)}
CAMERA = "SecretCam 3000"


def picture(form: str = "JPEG", size: tuple[int, int] = (640, 480), **options: Any) -> bytes:
    """A picture whose left half is red and whose right half is blue."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, size[0], size[1]))
    return saved(image, form, **options)


def noise(form: str, size: tuple[int, int]) -> bytes:
    """A picture that does not compress."""
    return saved(Image.effect_noise(size, 90).convert("RGB"), form, quality=100)


def scene(size: tuple[int, int]) -> bytes:
    """A JPEG of about as much detail as a photo of something has."""
    blurred = ImageFilter.GaussianBlur(3)
    bands = [Image.effect_noise(size, 90).filter(blurred) for _ in range(3)]
    return saved(Image.merge("RGB", bands), "JPEG", quality=90)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    """An image as a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def photo_with_place() -> bytes:
    """A JPEG with a place, a maker, a comment, and lying on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif[0x010F] = CAMERA
    exif[0x8825] = GPS
    return picture(exif=exif, comment=b"a comment nobody should see")


def animation(frames: int = 5, size: tuple[int, int] = (400, 300), comment: bytes = b"") -> bytes:
    """A GIF of some shades of grey, 40 ms each."""
    shades = [Image.new("L", size, 250 * n // frames) for n in range(frames)]
    return saved(
        shades[0],
        "GIF",
        save_all=True,
        append_images=shades[1:],
        duration=40,
        loop=0,
        comment=comment,
    )


def archive() -> bytes:
    """A zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("evil.html", "<script>alert(1)</script>")
    return file.getvalue()


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of an MP4."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _track(handler: bytes, at: int, sizes: list[int], shape: tuple[int, int] = (0, 0)) -> bytes:
    header = struct.pack(">IIIIII", 0, 77, 77, 1, 0, 2_500) + bytes(52)
    header += struct.pack(">II", shape[0] << 16, shape[1] << 16)
    tables = box(
        b"stbl",
        box(b"stsz", struct.pack(f">III{len(sizes)}I", 0, 0, len(sizes), *sizes)),
        box(b"stsc", struct.pack(">IIIII", 0, 1, 1, len(sizes), 1)),
        box(b"stco", struct.pack(">III", 0, 1, at)),
    )
    times = struct.pack(">IIIII", 0, 77, 77, 1_000, 2_500)
    return box(
        b"trak",
        box(b"tkhd", header),
        box(
            b"mdia",
            box(b"mdhd", times, bytes(4)),
            box(b"hdlr", bytes(8), handler, bytes(13)),
            box(b"minf", tables),
        ),
    )


def mp4(*, shape: tuple[int, int] = (1280, 720), filler: int = 2_000) -> bytes:
    """A film of 2.5 s: picture, places as a track of their own, and more of them in `udta`."""
    start = box(b"ftyp", b"isom", bytes(4), b"isommp42")
    picture_data, places = b"PICTURE!" * 20, b"+48.8566+002.3522/"
    at = len(start) + 8
    movie = box(
        b"moov",
        box(b"mvhd", struct.pack(">IIIII", 0, 77, 77, 1_000, 2_500), bytes(80)),
        _track(b"vide", at, [len(picture_data)], shape),
        _track(b"meta", at + len(picture_data), [10, len(places) - 10]),
        box(b"udta", box(b"\xa9xyz", b"\x00\x12\x15\xc7" + places)),
        box(b"meta", bytes(4), CAMERA.encode()),
    )
    data = box(b"mdat", picture_data, places, bytes(filler))
    return start + data + movie + box(b"free", archive())


def element(number: int, *parts: bytes, size: int | None = None) -> bytes:
    """An element of a WebM; `size` -1 does not say how long it is."""
    body = b"".join(parts)
    name = number.to_bytes((number.bit_length() + 7) // 8, "big")
    if size == -1:
        return name + b"\x01" + b"\xff" * 7 + body
    return name + (1 << 56 | len(body)).to_bytes(8, "big") + body


def webm(*, live: bool = False, shape: tuple[int, int] = (640, 360), filler: int = 500) -> bytes:
    """A film of 1.5 s; `live` as browsers record it, without lengths."""
    start = _short(0x1A45DFA3, _short(0x4282, b"webm"))
    info = element(
        0x1549A966,
        element(0x2AD7B1, (1_000_000).to_bytes(3, "big")),
        element(0x4489, struct.pack(">d", 1_500.0)),
        element(0x7BA9, CAMERA.encode()),
    )
    sides = [
        element(i, side.to_bytes(2, "big")) for i, side in zip((0xB0, 0xBA), shape, strict=True)
    ]
    tracks = element(0x1654AE6B, element(0xAE, element(0x536E, b"my track"), element(0xE0, *sides)))
    tags = element(0x1254C367, b"+48.8566+002.3522/")
    cluster = element(
        0x1F43B675, element(0xE7, b"\x00"), element(0xA3, bytes(filler)), size=-1 if live else None
    )
    return start + element(
        0x18538067, info, tracks, tags, cluster, cluster, size=-1 if live else None
    )


def _short(number: int, body: bytes) -> bytes:
    name = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return name + bytes([0x80 | len(body)]) + body
