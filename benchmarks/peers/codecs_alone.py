"""The codecs alone, as the limit: one decode, and the encodes from pixels that were resized beforehand."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from PIL import Image, ImageOps

from benchmarks.peers.work import Renditions, Work


def codecs(work: Work) -> Callable[[], Renditions]:
    """The decode of every pixel."""
    return _codecs(work, lambda: Image.open(io.BytesIO(work.content)).load())


def codecs_shrunk(work: Work) -> Callable[[], Renditions]:
    """The decode with shrink-on-load where the codec has it, so of fewer pixels than the photo has."""

    def decode() -> None:
        image = Image.open(io.BytesIO(work.content))
        widest = max(work.sizes[0])
        image.draft("RGB", (widest, widest * image.height // image.width))
        image.load()

    return _codecs(work, decode)


def _codecs(work: Work, decode: Callable[[], object]) -> Callable[[], Renditions]:
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(work.content))).convert("RGB")
    steps = [upright.resize(size, Image.Resampling.LANCZOS) for size in work.sizes]

    def run() -> Renditions:
        decode()
        return encode_all(steps, work)

    return run


def encode_all(steps: Sequence[Image.Image], work: Work) -> Renditions:
    """Each step in each format by Pillow, whose builds of the codecs are the fastest at hand."""
    made: Renditions = {}
    for step in steps:
        for name, quality in work.formats.items():
            made[f"{step.width}.{name}"] = _ENCODERS[name](step, quality)
    return made


def _jpeg(step: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    step.save(target, "JPEG", quality=quality)
    return target.getvalue()


def _webp(step: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    step.save(target, "WEBP", quality=quality, method=4)
    return target.getvalue()


def _avif(step: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    step.save(target, "AVIF", quality=quality, speed=9, max_threads=1, codec="aom")
    return target.getvalue()


_ENCODERS = {"jpeg": _jpeg, "webp": _webp, "avif": _avif}
