"""Pictures: decoded whole and written anew, so that nothing but pixels is left."""

import io
from collections.abc import Iterator
from pathlib import Path

from PIL import GifImagePlugin, Image, ImageCms, ImageFile, ImageOps, ImageSequence

from ..domain_formats import (
    GIF,
    JPEG,
    MAX_ANIMATED_PIXELS,
    MAX_FRAMES,
    MAX_PIXELS,
    MAX_SIDE,
    PNG,
    THUMBNAIL_SIDES,
    WEBP,
    MediaType,
)
from .findings import BrokenError, Findings, Picture, TooManyPixelsError, picture_of

FORMATS = {JPEG: "JPEG", PNG: "PNG", WEBP: "WEBP", GIF: "GIF"}
_MODES = {JPEG: ("L", "RGB"), PNG: ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), WEBP: ("RGB",)}
_OPTIONS: dict[str, dict[str, int | bool]] = {
    "JPEG": {"quality": 90, "optimize": True},
    "PNG": {"compress_level": 6},
    "WEBP": {"quality": 85, "method": 4},
}


def inspect(source: Path, kind: MediaType, folder: Path) -> Findings:
    """A picture of this type, cleaned, with its thumbnails."""
    Image.MAX_IMAGE_PIXELS = None  # our own limits are checked before anything is decoded
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(source, formats=[FORMATS[kind]]) as image:
            _check_size(image)
            return _animation(image, folder) if kind is GIF else _photo(image, kind, folder)
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError) as error:
        # What Pillow raises for broken pictures; MemoryError is not among it on purpose.
        raise BrokenError(str(error) or type(error).__name__) from error


def _photo(image: Image.Image, kind: MediaType, folder: Path) -> Findings:
    image.load()
    upright = ImageOps.exif_transpose(_in_srgb(image))
    shown = _as_mode(upright, kind)
    content = _save(shown, folder / "content", FORMATS[kind], kind.extension)
    return Findings(content, tuple(_thumbnails(shown, folder)))


def _animation(image: Image.Image, folder: Path) -> Findings:
    assert isinstance(image, GifImagePlugin.GifImageFile)
    GifImagePlugin.LOADING_STRATEGY = (
        GifImagePlugin.LoadingStrategy.RGB_AFTER_DIFFERENT_PALETTE_ONLY
    )
    count = image.n_frames
    if count > MAX_FRAMES or count * image.width * image.height > MAX_ANIMATED_PIXELS:
        raise TooManyPixelsError(image.width, image.height * count)
    frames, durations = [], []
    loop = image.info.get("loop")
    for frame in ImageSequence.Iterator(image):
        _check_size(frame)
        durations.append(int(frame.info.get("duration", 0)))
        frames.append(_bare(frame.copy()))
    path = folder / "content"
    repeated = {} if loop is None else {"loop": loop}
    frames[0].save(
        path, "GIF", save_all=True, append_images=frames[1:], duration=durations, **repeated
    )
    content = picture_of(path, GIF.extension, frames[0].width, frames[0].height)
    still = frames[0].convert("RGBA")
    return Findings(content, tuple(_thumbnails(still, folder)), sum(durations))


def _thumbnails(image: Image.Image, folder: Path) -> Iterator[Picture]:
    """Smaller stills, smallest first; none that would not be smaller."""
    for side in THUMBNAIL_SIDES:
        if max(image.size) > side:
            small = image.convert("RGBA" if _has_alpha(image) else "RGB")
            small.thumbnail((side, side), reducing_gap=2.0)
            yield _save(_bare(small), folder / f"thumbnail-{side}", "WEBP", WEBP.extension)


def _save(image: Image.Image, path: Path, form: str, extension: str) -> Picture:
    image.save(path, form, **_OPTIONS[form])
    return picture_of(path, extension, image.width, image.height)


def _in_srgb(image: Image.Image) -> Image.Image:
    """The picture in the colours that everybody shows, for its profile is not kept."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in {"RGB", "RGBA", "CMYK"}:
        return image
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        shown = ImageCms.profileToProfile(
            image, own, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except ImageCms.PyCMSError:
        return image
    return shown or image


def _as_mode(image: Image.Image, kind: MediaType) -> Image.Image:
    if image.mode not in _MODES[kind]:
        alpha = kind is not JPEG and _has_alpha(image)
        image = image.convert("RGBA" if alpha else "RGB")
    return _bare(image)


def _bare(image: Image.Image) -> Image.Image:
    """The picture without what its file said besides: Pillow would write some of that again."""
    image.info = {k: v for k, v in image.info.items() if k == "transparency"}
    return image


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise TooManyPixelsError(width, height)
