"""What codecs and resampling of one upload cost without an engine around them: its limit at default settings."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyvips
from PIL import Image

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
class Canvas:
    """The pixels that some files of the upload share: their size, and whether they are cut out of a larger step."""

    width: int
    height: int
    is_cropped: bool


@dataclass(frozen=True, slots=True)
class Encoding:
    """One file: what Pillow's encoder was told for it, or nothing where another one wrote it."""

    name: str
    format: ImageFormat
    saved_with: tuple[str, dict[str, Any]] | None
    options: dict[str, Any]


@dataclass(slots=True)
class Heard:
    """What an encoder was given for a file: the pixels' size, what `encode` was told, and what Pillow was."""

    size: tuple[int, int]
    options: dict[str, Any]
    saved_with: tuple[str, dict[str, Any]] | None


def whole_limit(work: Work) -> Callable[[], Renditions]:
    """The engine's files again, at the qualities that it chose: decode, a cascade of sizes, encode, nothing else.

    Every canvas is resized once and every file is encoded once, by the bare encoder; nothing is cleaned or checked.
    """
    files = _files_of(work)
    plain = sorted({(canvas.width, canvas.height) for canvas in files if not canvas.is_cropped}, reverse=True)

    def run() -> Renditions:
        made: Renditions = {}
        steps = _cascade(work.content, plain)
        for canvas, encodings in files.items():
            step = _cropped(steps, canvas) if canvas.is_cropped else steps[canvas.width, canvas.height]
            picture = _to_pillow(step)
            for each in encodings:
                made[f"{each.name}.{each.format.value}"] = _encode(step, picture, each)
        return made

    return run


def _encode(step: Any, picture: Image.Image, each: Encoding) -> bytes:
    if each.saved_with is None:
        return codecs.encode(step, each.format, **each.options)
    name, options = each.saved_with
    target = io.BytesIO()
    picture.save(target, name, **options)
    return target.getvalue()


def _to_pillow(step: Any) -> Image.Image:
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[step.bands]
    return Image.frombuffer(mode, (step.width, step.height), step.write_to_memory(), "raw", mode, 0, 1)


def _files_of(work: Work) -> dict[Canvas, list[Encoding]]:
    """What the engine encodes for good, heard from the encoder while the engine runs once."""
    heard: dict[bytes, Heard] = {}
    with _listening_to_encoder(heard):
        structure = inspect_image(work.content, LIMITS)
        rendered = render_picture(structure, file_size=len(work.content), plan=plan_of(work), emit=ignore_variant)
    files = [("original", rendered.format, rendered.body, False)]
    files += [
        (each.spec.name, each.spec.format, each.body, each.spec.crop is not Crop.NONE) for each in rendered.variants
    ]
    # Uncropped ones first: a preset that fills the same size is the same file, made once.
    files.sort(key=lambda file: file[3])
    found: dict[Canvas, list[Encoding]] = {}
    for name, image_format, body, is_cropped in files:
        if (what := heard.pop(body, None)) is not None:
            encoding = Encoding(name, image_format, what.saved_with, what.options)
            found.setdefault(Canvas(*what.size, is_cropped), []).append(encoding)
    return found


@contextmanager
def _listening_to_encoder(heard: dict[bytes, Heard]) -> Iterator[None]:
    encode, saved = codecs.encode, codecs._saved
    last_saved: list[tuple[str, dict[str, Any]]] = []

    def listen_to_pillow(picture: Image.Image, name: str, **options: Any) -> bytes:
        last_saved.append((name, options))
        return saved(picture, name, **options)

    def listen(image: Any, image_format: ImageFormat, **options: Any) -> bytes:
        last_saved.clear()
        body = encode(image, image_format, **options)
        # Of a PNG that was tried both ways nobody knows which one won.
        by_pillow = last_saved[-1] if last_saved and image_format is not ImageFormat.PNG else None
        heard[body] = Heard((image.width, image.height), options, by_pillow)
        return body

    users = [module for name, module in sys.modules.items() if name.startswith("app.services.decoder")]
    users = [module for module in users if getattr(module, "encode", None) is encode]
    try:
        codecs._saved = listen_to_pillow
        for module in users:
            module.encode = listen  # type: ignore[attr-defined]
        yield
    finally:
        codecs._saved = saved
        for module in users:
            module.encode = encode  # type: ignore[attr-defined]


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
    step = step.copy_memory()
    if orientation != 1:
        step = step.autorot().copy_memory()
    steps = {sizes[0]: step}
    for size in sizes[1:]:
        step = step.resize(size[0] / step.width, vscale=size[1] / step.height).copy_memory()
        steps[size] = step
    return steps


def _cropped(steps: dict[tuple[int, int], Any], each: Canvas) -> Any:
    """The middle of the smallest step that covers the box."""
    covering = [step for step in steps.values() if step.width >= each.width and step.height >= each.height]
    step = min(covering, key=lambda candidate: candidate.width)
    scale = max(each.width / step.width, each.height / step.height)
    scaled = step.resize(scale)
    left, top = (scaled.width - each.width) // 2, (scaled.height - each.height) // 2
    return scaled.crop(
        max(0, left), max(0, top), min(each.width, scaled.width), min(each.height, scaled.height)
    ).copy_memory()
