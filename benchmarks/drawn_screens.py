"""Screenshots and pages of text that the quality benchmark draws: flat areas, sharp edges, letters."""

from __future__ import annotations

import numpy
from PIL import Image, ImageDraw, ImageFont

_WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "while",
    "twelve",
    "guests",
    "ask",
    "for",
    "keys",
    "towels",
    "breakfast",
    "parking",
]
_INKS = ((30, 30, 35), (30, 30, 35), (200, 30, 40), (20, 90, 200))


def draw_screenshot(width: int = 1280, height: int = 900, *, photo: Image.Image) -> Image.Image:
    """A web page: a bar, a menu, coloured text and a few photos."""
    random = numpy.random.default_rng(11)
    page = Image.new("RGB", (width, height), (247, 248, 250))
    pen = ImageDraw.Draw(page)
    pen.rectangle((0, 0, width, 64), fill=(32, 60, 120))
    pen.text((24, 16), "Bookings   Messages   Calendar", font=ImageFont.load_default(26), fill="white")
    pen.rectangle((0, 64, 220, height), fill=(236, 239, 244))
    thumbnail = photo.resize((300, 200), Image.Resampling.LANCZOS)
    top = 90
    while top < height - 30:
        if random.random() < 0.12 and top < height - 240:
            page.paste(thumbnail, (250, top))
            top += 220
            continue
        ink = _INKS[int(random.integers(len(_INKS)))]
        font = ImageFont.load_default(15 + 3 * int(random.integers(3)))
        pen.text((250, top), " ".join(random.choice(_WORDS, 14)), font=font, fill=ink)
        top += 28
    return page


def draw_text(width: int = 1000, height: int = 1300) -> Image.Image:
    """A page of black letters on white."""
    random = numpy.random.default_rng(12)
    page = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(page)
    for top in range(40, height - 30, 21):
        pen.text((50, top), " ".join(random.choice(_WORDS, 15)), font=ImageFont.load_default(14), fill="black")
    return page
