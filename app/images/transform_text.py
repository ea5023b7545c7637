"""The text of a transform: what stands in a delivery URL, parsed and written; one text for each value, in fixed order.

    w:640,h:480,fit:cover,crop:attention,q:70,f:webp        p:card,f:avif        f:auto

The grammar, and why it is so: docs/adr/0023-transform-grammar.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from app.core.exceptions import InvalidTransform
from app.images.formats import ImageFormat
from app.images.transform_options import (
    MAX_TRANSFORM_SIDE,
    OPTIONS,
    BadOption,
    box_text,
    tenths_text,
    watermark_text,
)
from app.images.transforms import CropBox, Fit, Gravity, Transform, Watermark

MAX_TRANSFORM_CHARACTERS = 500
MAX_PADDED_PIXELS = 10_000_000
_NOTHING_ASKED = "f:auto"
# Transparent parts of a JPEG become white unless a colour is named, so naming white changes nothing.
_WHITE = "ffffff"
_NOT_WITH_PRESET = ("w", "h", "fit", "crop", "dpr")
_SHOWN_CHARACTERS = 40
_FRACTION_DECIMALS = 4

Pairs = Iterable[tuple[str, str]]


@lru_cache(maxsize=1024)
def parse_transform(text: str) -> Transform:
    """The value of a text, whose options may stand in any order; equal pictures give equal values.

    Raises:
        InvalidTransform: the detail names every option that is unknown, wrong, given twice or in conflict.
    """
    if not 1 <= len(text) <= MAX_TRANSFORM_CHARACTERS:
        raise InvalidTransform(f"A transform has 1 to {MAX_TRANSFORM_CHARACTERS} characters.")
    return _read([_split(option) for option in text.split(",")])


@lru_cache(maxsize=1024)
def canonical_text(transform: Transform) -> str:
    """The one text of a transform: `parse_transform` gives the same value again.

    Raises:
        InvalidTransform: no text has this value; `make_transform` makes none such.
    """
    text = ",".join(f"{name}:{value}" for name, value in _canonical_pairs(transform)) or _NOTHING_ASKED
    if parse_transform(text) != transform:
        raise InvalidTransform(f"The same picture is written {canonical_text(parse_transform(text))}.")
    return text


def make_transform(
    *,
    width: int | None = None,
    height: int | None = None,
    fit: Fit | str = Fit.INSIDE,
    crop: Gravity | CropBox | tuple[float, float, float, float] | str | None = None,
    dpr: float = 1,
    rotate: int = 0,
    blur: float = 0,
    sharpen: float = 0,
    background: str | None = None,
    watermark: Watermark | str | None = None,
    preset: str | None = None,
    format: ImageFormat | str | None = None,  # noqa: A002 - as the option and the field are called
    quality: int | None = None,
) -> Transform:
    """The value of these options, with the checks and the meaning of a text's.

    `crop` is what a cut keeps, or a box: fractions of left, top, width and height, rounded to four decimals.
    `watermark` is the key of a public image, or a `Watermark`. `blur` and `sharpen` are sigmas in pixels, `background`
    six hex digits; None, 0 and a `dpr` of 1 ask for nothing.

    Raises:
        InvalidTransform: as `parse_transform`.
    """
    given = {
        "p": preset,
        "w": width,
        "h": height,
        "fit": None if fit == Fit.INSIDE else fit,
        "crop": _crop_argument(crop),
        "dpr": None if dpr == 1 else dpr,
        "rotate": rotate or None,
        "blur": blur or None,
        "sharpen": sharpen or None,
        "bg": background,
        "watermark": None if watermark is None else _watermark_argument(watermark),
        "q": quality,
        "f": format,
    }
    return _read([(name, str(value)) for name, value in given.items() if value is not None])


def _crop_argument(crop: object) -> object:
    if isinstance(crop, CropBox):
        return box_text(crop)
    if isinstance(crop, tuple | list):
        return "~".join(["box", *(_fraction_argument(each) for each in crop)])
    return crop


def _fraction_argument(fraction: object) -> str:
    is_number = isinstance(fraction, int | float) and not isinstance(fraction, bool)
    return f"{fraction:.{_FRACTION_DECIMALS}f}" if is_number else str(fraction)


def _watermark_argument(watermark: Watermark | str) -> str:
    return watermark_text(watermark if isinstance(watermark, Watermark) else Watermark(str(watermark)))


def _split(option: str) -> tuple[str, str]:
    name, colon, value = option.partition(":")
    # A name that no option has, so that what lacks a value is named whole.
    return (name, value) if colon else (option or "an empty option", "")


def _read(pairs: Pairs) -> Transform:
    values: dict[str, Any] = {}
    named: set[str] = set()
    faults: list[str] = []
    for name, value in pairs:
        if name not in OPTIONS:
            faults.append(f"{_shown(name)} is unknown")
        elif name in named:
            faults.append(f"{name} is given twice")
        else:
            named.add(name)
            try:
                values[name] = OPTIONS[name].read(value)
            except BadOption:
                faults.append(f"{name} takes {OPTIONS[name].rule}")
    faults += _conflicts(values, named)
    if faults:
        raise InvalidTransform("; ".join(dict.fromkeys(faults)) + ".")
    return _transform_of(values)


def _shown(name: str) -> str:
    """A stranger's text, short and in ASCII."""
    return name[:_SHOWN_CHARACTERS].encode("ascii", "backslashreplace").decode()


def _conflicts(values: Mapping[str, Any], named: set[str]) -> Iterator[str]:
    """What does not go together, as far as the values themselves are right."""
    if "p" in named:
        yield from (f"{name} does not go with p" for name in _NOT_WITH_PRESET if name in named)
        return
    fit, crop = values.get("fit"), values.get("crop")
    if fit in {Fit.COVER, Fit.CONTAIN} and not {"w", "h"} <= named:
        yield f"fit:{fit} needs w and h"
    is_fit_known = "fit" in values or "fit" not in named
    if isinstance(crop, Gravity) and is_fit_known and fit is not Fit.COVER:
        yield f"crop:{crop} needs fit:cover"
    if "dpr" in named and not {"w", "h"} & named:
        yield "dpr needs w or h"
    sides = [_multiplied(values, name) or 0 for name in ("w", "h")]
    for name, side in zip("wh", sides, strict=True):
        if side > MAX_TRANSFORM_SIDE:
            yield f"{name} times dpr is over {MAX_TRANSFORM_SIDE}"
    # Every other result has no more pixels than its image.
    if fit is Fit.CONTAIN and sides[0] * sides[1] > MAX_PADDED_PIXELS:
        yield f"fit:contain pads up to {MAX_PADDED_PIXELS} pixels"


def _multiplied(values: Mapping[str, Any], name: str) -> int | None:
    """A side times `dpr`, which is in hundredths; rounded half up."""
    side: int | None = values.get(name)
    return None if side is None else (side * values.get("dpr", 100) + 50) // 100


def _transform_of(values: Mapping[str, Any]) -> Transform:
    crop = values.get("crop")
    image_format = values.get("f")
    background = values.get("bg")
    return Transform(
        preset=values.get("p"),
        width=_multiplied(values, "w"),
        height=_multiplied(values, "h"),
        fit=values.get("fit", Fit.INSIDE),
        gravity=crop if isinstance(crop, Gravity) else Gravity.FOCAL,
        box=crop if isinstance(crop, CropBox) else None,
        rotate=values.get("rotate", 0),
        blur=values.get("blur", 0),
        sharpen=values.get("sharpen", 0),
        background=None if image_format is ImageFormat.JPEG and background == _WHITE else background,
        watermark=values.get("watermark"),
        quality=None if image_format is ImageFormat.PNG else values.get("q"),
        format=image_format,
    )


def _canonical_pairs(transform: Transform) -> Iterator[tuple[str, object]]:
    """In the fixed order, without what is not asked for."""
    pairs: dict[str, object] = {
        "p": transform.preset,
        "w": transform.width,
        "h": transform.height,
        "fit": None if transform.fit is Fit.INSIDE else transform.fit,
        "crop": _crop_text(transform),
        "rotate": transform.rotate or None,
        "blur": tenths_text(transform.blur) if transform.blur else None,
        "sharpen": tenths_text(transform.sharpen) if transform.sharpen else None,
        "bg": transform.background,
        "watermark": watermark_text(transform.watermark) if transform.watermark else None,
        "q": transform.quality,
        "f": transform.format,
    }
    yield from ((name, value) for name, value in pairs.items() if value is not None)


def _crop_text(transform: Transform) -> str | None:
    if transform.box:
        return box_text(transform.box)
    return None if transform.gravity is Gravity.FOCAL else transform.gravity.value
