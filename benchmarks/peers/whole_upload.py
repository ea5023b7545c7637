"""What codecs and resampling of one upload cost without an engine around them: its limit at default settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyvips

from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.variants import Crop
from app.services.decoder import codecs
from app.services.decoder.engine import render_picture
from app.services.protocols import ignore_variant
from benchmarks.peers.ours import LIMITS, plan_of
from benchmarks.peers.work import Renditions, Work

pyvips.cache_set_max(0)
pyvips.concurrency_set(1)
_SHRINKS = (8, 4, 2, 1)


@dataclass(frozen=True, slots=True)
class Encoding:
    """One file of the upload as the engine chose it: its pixels' size and what its encoder was told."""

    name: str
    format: ImageFormat
    width: int
    height: int
    is_cropped: bool
    options: dict[str, Any]


def whole_limit(work: Work) -> Callable[[], Renditions]:
    """The engine's files again, at the qualities that it chose: decode, a cascade of sizes, encode, nothing else."""
    encodings = _encodings_of(work)
    plain = sorted({(each.width, each.height) for each in encodings if not each.is_cropped}, reverse=True)

    def run() -> Renditions:
        made: Renditions = {}
        steps = _cascade(work.content, plain)
        for each in encodings:
            step = steps.get((each.width, each.height)) or _cropped(steps, each)
            made[f"{each.name}.{each.format.value}"] = codecs.encode(step, each.format, **each.options)
        return made

    return run


def _encodings_of(work: Work) -> list[Encoding]:
    """What the engine encodes for good, heard from the encoder while the engine runs once."""
    heard: dict[bytes, tuple[Any, dict[str, Any]]] = {}
    with _listening_to_encoder(heard):
        structure = inspect_image(work.content, LIMITS)
        rendered = render_picture(structure, file_size=len(work.content), plan=plan_of(work), emit=ignore_variant)
    files = [
        (each.spec.name, each.spec.format, each.body, each.spec.crop is not Crop.NONE) for each in rendered.variants
    ]
    files.append(("original", rendered.format, rendered.body, False))
    return [
        Encoding(name, image_format, *_size(heard[body][0]), is_cropped, heard[body][1])
        for name, image_format, body, is_cropped in files
        if body in heard
    ]


@contextmanager
def _listening_to_encoder(heard: dict[bytes, tuple[Any, dict[str, Any]]]) -> Iterator[None]:
    encode = codecs.encode

    def listen(image: Any, image_format: ImageFormat, **options: Any) -> bytes:
        body = encode(image, image_format, **options)
        heard[body] = (image, options)
        return body

    users = [module for name, module in sys.modules.items() if name.startswith("app.services.decoder")]
    users = [module for module in users if getattr(module, "encode", None) is encode]
    try:
        for module in users:
            module.encode = listen  # type: ignore[attr-defined]
        yield
    finally:
        for module in users:
            module.encode = encode  # type: ignore[attr-defined]


def _size(image: Any) -> tuple[int, int]:
    return image.width, image.height


def _cascade(content: bytes, sizes: list[tuple[int, int]]) -> dict[tuple[int, int], Any]:
    """Each size from the next larger one, all upright and in memory; the largest from the decoder's stream."""
    header = pyvips.Image.new_from_buffer(content, "")
    orientation = header.get("orientation") if header.get_typeof("orientation") else 1
    width, height = sizes[0][::-1] if orientation >= 5 else sizes[0]
    image = pyvips.Image.new_from_buffer(content, "", access="sequential")
    if image.get("vips-loader").startswith("jpeg"):
        shrink = next(each for each in _SHRINKS if header.width // each >= width and header.height // each >= height)
        image = pyvips.Image.jpegload_buffer(content, access="sequential", shrink=shrink)
    step = image.resize(width / image.width, vscale=height / image.height)
    if step.get_typeof("icc-profile-data"):
        step = step.icc_transform("srgb", embedded=True)
    step = step.copy_memory().autorot().copy_memory()
    steps = {sizes[0]: step}
    for size in sizes[1:]:
        step = step.resize(size[0] / step.width, vscale=size[1] / step.height).copy_memory()
        steps[size] = step
    return steps


def _cropped(steps: dict[tuple[int, int], Any], each: Encoding) -> Any:
    """The middle of the smallest step that covers the box."""
    covering = [step for step in steps.values() if step.width >= each.width and step.height >= each.height]
    step = min(covering, key=lambda candidate: candidate.width)
    scale = max(each.width / step.width, each.height / step.height)
    scaled = step.resize(scale)
    left, top = (scaled.width - each.width) // 2, (scaled.height - each.height) // 2
    return scaled.crop(
        max(0, left), max(0, top), min(each.width, scaled.width), min(each.height, scaled.height)
    ).copy_memory()
