"""Writing an animated WebP frame by frame, so that never more than a few canvases are in memory.

libwebp's animation encoder (https://developers.google.com/speed/webp/docs/container-api) through the class that
Pillow itself writes animations with: its public `save` asks for all frames at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image, _webp

from app.core.exceptions import ImageTooComplex
from app.images.cleanup import clean_copy
from app.images.containers.webp import FLAG_ALPHA
from app.images.formats import ImageFormat
from app.images.geometry import Size

_ALPHA_QUALITY = 100.0
_TRANSPARENT = 0
# Frames that stand for themselves only serve seeking, and each is coded twice to decide.
_NO_KEY_FRAMES = 0
_LOSSLESS_EFFORT = 40.0
_CANVAS_CHUNK, _EXTENDED, _FLAGS_AT = slice(12, 16), b"VP8X", 20
_MODES = {3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, slots=True)
class AnimationCoding:
    """How frames are coded. `quality` goes from 1 to 100, None is lossless; `method` from 0 (fast) to 6.

    `is_mixed` tries each frame without loss too and takes what is shorter.
    """

    quality: int | None
    method: int
    is_mixed: bool = False


class AnimatedWebpWriter:
    """One animation being written; `plays` is how often it runs through, 0 for ever."""

    def __init__(self, size: Size, coding: AnimationCoding, *, plays: int) -> None:
        self._coding = coding
        self._clock_ms = 0
        self._has_alpha = False
        self._encoder = _webp.WebPAnimEncoder(
            size, _TRANSPARENT, plays, False, _NO_KEY_FRAMES, _NO_KEY_FRAMES, coding.is_mixed, False
        )

    def add(self, image: Any, *, duration_ms: int) -> None:
        """The next frame: a pyvips image in memory, 8 bit, of the animation's size."""
        if image.bands < 3:
            image = image.colourspace("srgb")
        mode = _MODES[image.bands]
        frame = Image.frombuffer(mode, (image.width, image.height), image.write_to_memory(), "raw", mode, 0, 1)
        self._put(frame.getim())
        self._clock_ms += duration_ms
        self._has_alpha |= image.bands == 4

    def finish(self) -> bytes:
        """The file. Equal frames in a row have become one that is shown longer."""
        self._put(None)
        body = self._encoder.assemble("", "", "")
        if body is None:
            raise ImageTooComplex
        return clean_copy(ImageFormat.WEBP, self._with_alpha_flag(bytes(body)))

    def _with_alpha_flag(self, body: bytes) -> bytes:
        """libwebp looks for alpha in the parts that it coded; what shows through may lie outside of all of them."""
        if not self._has_alpha or body[_CANVAS_CHUNK] != _EXTENDED:
            return body
        return body[:_FLAGS_AT] + bytes([body[_FLAGS_AT] | FLAG_ALPHA]) + body[_FLAGS_AT + 1 :]

    def _put(self, frame: Any) -> None:
        quality = self._coding.quality
        strength = _LOSSLESS_EFFORT if quality is None else float(quality)
        try:
            self._encoder.add(frame, self._clock_ms, quality is None, strength, _ALPHA_QUALITY, self._coding.method)
        except RuntimeError as error:
            raise ImageTooComplex from error
