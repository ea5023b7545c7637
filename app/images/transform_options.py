"""The options of a transform: how each value is read, what it may be, and how it is written."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from app.images.formats import ImageFormat
from app.images.keys import MAX_KEY_CHARACTERS, PRIVATE_PREFIX
from app.images.transforms import CropBox, Fit, Gravity, Position, Watermark
from app.images.variants import PRESET_NAME

MAX_TRANSFORM_SIDE = 8192
TRANSFORM_FORMATS = (ImageFormat.AVIF, ImageFormat.WEBP, ImageFormat.JPEG, ImageFormat.PNG)
_AUTO = "auto"
_PARTS_BETWEEN = "~"
_TURNS = (90, 180, 270)
# Fractions are counted in ten-thousandths.
_WHOLE = 10_000
_WHOLE_BOX = CropBox(0, 0, _WHOLE, _WHOLE)

_INTEGER = re.compile(r"[1-9][0-9]{0,4}")
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,4})(?:\.([0-9]{1,4}))?")
_COLOUR = re.compile(r"[0-9a-f]{6}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")

Choice = TypeVar("Choice", Fit, Gravity, Position)


class BadOption(ValueError):
    """The value is none of this option's."""


@dataclass(frozen=True, slots=True)
class Option:
    """`read` gives the value of a text or raises `BadOption`; `rule` says what it takes, for a sentence."""

    read: Callable[[str], Any]
    rule: str


def box_text(box: CropBox) -> str:
    """As it stands behind `crop:`."""
    sides = (box.left, box.top, box.width, box.height)
    return _PARTS_BETWEEN.join(["box", *(_decimal_text(each, decimals=4) for each in sides)])


def tenths_text(tenths: int) -> str:
    """As sigmas are written."""
    return _decimal_text(tenths, decimals=1)


def watermark_text(watermark: Watermark) -> str:
    """As it stands behind `watermark:`; trailing parts that are the default are left out."""
    key = base64.urlsafe_b64encode(watermark.s3_key.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()
    parts = [key, watermark.position, str(watermark.scale), str(watermark.opacity)]
    default = Watermark(watermark.s3_key)
    defaults = [key, default.position, str(default.scale), str(default.opacity)]
    while len(parts) > 1 and parts[-1] == defaults[len(parts) - 1]:
        parts.pop()
    return _PARTS_BETWEEN.join(parts)


def _decimal_text(value: int, *, decimals: int) -> str:
    unit = 10**decimals
    fraction = f"{value % unit:0{decimals}}".rstrip("0")
    return f"{value // unit}.{fraction}" if fraction else str(value // unit)


def _integer(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not _INTEGER.fullmatch(text) or not least <= int(text) <= most:
            raise BadOption
        return int(text)

    return read


def _decimal(least: int, most: int, *, decimals: int) -> Callable[[str], int]:
    """In units of the last decimal, as the bounds are."""

    def read(text: str) -> int:
        match = _DECIMAL.fullmatch(text)
        fraction = (match[2] or "") if match else ""
        if not match or len(fraction) > decimals:
            raise BadOption
        value = int(match[1] + fraction.ljust(decimals, "0"))
        if not least <= value <= most:
            raise BadOption
        return value

    return read


def _member(kind: type[Choice]) -> Callable[[str], Choice]:
    def read(text: str) -> Choice:
        try:
            return kind(text)
        except ValueError:
            raise BadOption from None

    return read


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise BadOption
        return text

    return read


def _or_auto(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text == _AUTO else read(text)


def _turn(text: str) -> int:
    if text not in {"0", *map(str, _TURNS)}:
        raise BadOption
    return int(text)


def _format(text: str) -> ImageFormat:
    for image_format in TRANSFORM_FORMATS:
        if image_format.value == text:
            return image_format
    raise BadOption


def _crop(text: str) -> Gravity | CropBox | None:
    """None for the box that is the whole picture."""
    name, *sides = text.split(_PARTS_BETWEEN)
    if name != "box":
        return _member(Gravity)(text)
    if len(sides) != 4:
        raise BadOption
    box = CropBox(*map(_decimal(0, _WHOLE, decimals=4), sides))
    is_inside = box.left + box.width <= _WHOLE and box.top + box.height <= _WHOLE
    if not is_inside or not box.width or not box.height:
        raise BadOption
    return None if box == _WHOLE_BOX else box


def _watermark(text: str) -> Watermark:
    key, *parts = text.split(_PARTS_BETWEEN)
    if len(parts) > 3:
        raise BadOption
    readers = zip(("position", "scale", "opacity"), (_member(Position), _PERCENT, _PERCENT), strict=True)
    given: dict[str, Any] = {name: read(part) for (name, read), part in zip(readers, parts, strict=False)}
    return Watermark(_key(key), **given)


def _key(text: str) -> str:
    """A key from base64url without padding (RFC 4648, section 5); of several codings of the same bytes only one."""
    if not _BASE64URL.fullmatch(text):
        raise BadOption
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        key = packed.decode()
    except ValueError:
        raise BadOption from None
    is_exact = base64.urlsafe_b64encode(packed).rstrip(b"=").decode() == text
    if not is_exact or not key.isprintable() or len(key) > MAX_KEY_CHARACTERS or key.startswith(PRIVATE_PREFIX):
        raise BadOption
    return key


_PERCENT = _integer(1, 100)
_SIDE = Option(_integer(1, MAX_TRANSFORM_SIDE), f"1 to {MAX_TRANSFORM_SIDE}")

# In the order of the canonical text; `dpr` never stands there.
OPTIONS = {
    "p": Option(_matching(PRESET_NAME), "the name of a preset"),
    "w": _SIDE,
    "h": _SIDE,
    "dpr": Option(_decimal(100, 400, decimals=2), "1 to 4, with up to two decimals"),
    "fit": Option(_member(Fit), "inside, cover or contain"),
    "crop": Option(_crop, "focal, attention, centre or box~LEFT~TOP~WIDTH~HEIGHT in fractions of the picture"),
    "rotate": Option(_turn, "90, 180 or 270"),
    "blur": Option(_decimal(3, 500, decimals=1), "0.3 to 50, with up to one decimal"),
    "sharpen": Option(_decimal(3, 100, decimals=1), "0.3 to 10, with up to one decimal"),
    "bg": Option(_matching(_COLOUR), "six lower-case hex digits"),
    "watermark": Option(
        _watermark, "KEY~POSITION~SCALE~OPACITY: a public image's key in base64url, nw to se, twice 1 to 100"
    ),
    "q": Option(_or_auto(_integer(1, 100)), "auto or 1 to 100"),
    "f": Option(_or_auto(_format), "auto, avif, webp, jpeg or png"),
}
