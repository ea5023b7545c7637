"""Pillow: as most back ends write it first, as its documentation recommends, and tuned by hand beyond that."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageCms, ImageOps

from benchmarks.peers.work import Renditions, Work

_LANCZOS = Image.Resampling.LANCZOS
_REDUCING_GAP = 2.0


def naive_pillow(work: Work) -> Callable[[], Renditions]:
    """Every file from the original: open, turn upright, resize, save."""

    def run() -> Renditions:
        return {
            f"{width}.{name}": _save(_resized(work.content, (width, height)), name, quality)
            for width, height in work.sizes
            for name, quality in work.formats.items()
        }

    return run


def pillow_per_width(work: Work) -> Callable[[], Renditions]:
    """Every width from the original, saved in each format."""

    def run() -> Renditions:
        made: Renditions = {}
        for width, height in work.sizes:
            resized = _resized(work.content, (width, height))
            for name, quality in work.formats.items():
                made[f"{width}.{name}"] = _save(resized, name, quality)
        return made

    return run


def _resized(content: bytes, size: tuple[int, int]) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    return ImageOps.exif_transpose(image).convert("RGB").resize(size, _LANCZOS)


def careful_pillow(work: Work) -> Callable[[], Renditions]:
    """One decode in draft mode, each width from the next larger one, with the reducing gap that the manual advises."""
    return _cascade(work, draft_gap=_REDUCING_GAP)


def tuned_pillow(work: Work) -> Callable[[], Renditions]:
    """The same, but drafted to the next size above the widest without any gap."""
    return _cascade(work, draft_gap=1.0)


def _cascade(work: Work, *, draft_gap: float) -> Callable[[], Renditions]:
    def run() -> Renditions:
        made: Renditions = {}
        image = Image.open(io.BytesIO(work.content), formats=["JPEG", "WEBP", "PNG", "AVIF"])
        is_turned = image.getexif().get(0x0112, 1) >= 5
        widest = work.sizes[0][::-1] if is_turned else work.sizes[0]
        image.draft("RGB", (int(widest[0] * draft_gap), int(widest[1] * draft_gap)))
        # Read before the pixels change hands: resizing drops what the file said of itself.
        profile = image.info.get("icc_profile")
        step = image.convert("RGB").resize(widest, _LANCZOS, reducing_gap=_REDUCING_GAP)
        step = ImageOps.exif_transpose(_with_exif_of(step, image))
        if profile:
            step = _to_srgb(step, profile)
        for width, height in work.sizes:
            step = step.resize((width, height), _LANCZOS, reducing_gap=_REDUCING_GAP)
            for name, quality in work.formats.items():
                made[f"{width}.{name}"] = _save(step, name, quality)
        return made

    return run


def _with_exif_of(step: Image.Image, source: Image.Image) -> Image.Image:
    step.info["exif"] = source.info.get("exif", b"")
    return step


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted
    return converted


def _save(image: Image.Image, name: str, quality: int) -> bytes:
    options = {"jpeg": {}, "webp": {"method": 4}, "avif": {"speed": 9, "max_threads": 1}}[name]
    target = io.BytesIO()
    image.save(target, name.upper(), quality=quality, **options)
    return target.getvalue()
