"""Draws the README's picture: a phone photo as it is sent beside what the service stores of it.

Run from the repository: `.venv/bin/python docs/pictures/draw_before_after.py`
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFont

from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import RenderedImage, RenderPlan
from app.services.decoder.engine import render_picture
from app.services.protocols import ignore_variant

TARGET = Path(__file__).with_name("before-after.jpg")
PAPER, INK, GREY = (250, 249, 246), (34, 34, 34), (110, 110, 110)


def draw_house() -> Image.Image:
    """A homestay at dusk, 3024 × 4032 pixels, with a camera's noise."""
    height, width = 4032, 3024
    down = numpy.linspace(0, 1, height)[:, None, None]
    sky = (1 - down) * numpy.array([58, 84, 140]) + down * numpy.array([252, 196, 140])
    image = Image.fromarray(numpy.broadcast_to(sky, (height, width, 3)).astype(numpy.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse((2100, 700, 2560, 1160), fill=(255, 236, 190))
    draw.polygon([(0, 2700), (900, 1900), (1700, 2700)], fill=(72, 86, 110))
    draw.polygon([(1300, 2700), (2300, 2050), (3024, 2600), (3024, 2800), (1300, 2800)], fill=(62, 74, 98))
    draw.rectangle((0, 2680, width, height), fill=(74, 98, 62))
    draw.polygon([(1150, 4032), (1900, 4032), (1640, 3250), (1440, 3250)], fill=(186, 164, 132))
    draw.rectangle((850, 2250, 2200, 3260), fill=(178, 116, 78))
    draw.polygon([(720, 2300), (1525, 1600), (2330, 2300)], fill=(96, 52, 46))
    draw.rectangle((1400, 2760, 1680, 3260), fill=(70, 42, 30))
    for left in (980, 1800):
        draw.rectangle((left, 2500, left + 280, 2780), fill=(255, 220, 130), outline=(70, 42, 30), width=24)
        draw.line((left + 140, 2500, left + 140, 2780), fill=(70, 42, 30), width=18)
    noise = numpy.random.default_rng(3).normal(0, 7, (height, width, 3))
    return Image.fromarray((numpy.asarray(image) + noise).clip(0, 255).astype(numpy.uint8))


def photograph(scene: Image.Image) -> bytes:
    """The scene as a phone stores it: on its side, with the orientation and the position in EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Phone"
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 11.0), 3: "E", 4: (8.0, 32.0, 30.0)})
    buffer = io.BytesIO()
    scene.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=93, exif=exif)
    return buffer.getvalue()


def compose(photo: bytes, stored: RenderedImage) -> Image.Image:
    """Both pictures at one scale, each with its facts below."""
    page = Image.new("RGB", (1240, 640), PAPER)
    sent = Image.open(io.BytesIO(photo))
    left = sent.resize((600, 450))
    right = Image.open(io.BytesIO(stored.body)).resize((375, 500))
    page.paste(left, (40, 40))
    page.paste(right, (800, 40))
    draw = ImageDraw.Draw(page)
    bold, small = ImageFont.load_default(22), ImageFont.load_default(17)
    draw.text((40, 505), "as sent", INK, bold)
    draw.text((40, 536), f"{sent.width} x {sent.height} pixels, {len(photo) / 1e6:.1f} MB", GREY, small)
    draw.text((40, 560), "EXIF: turn me by 90 degrees; taken at 47.37 N, 8.54 E", GREY, small)
    draw.line((690, 290, 740, 290), fill=INK, width=5)
    draw.polygon([(736, 276), (760, 290), (736, 304)], fill=INK)
    draw.text((800, 555), "as stored", INK, bold)
    draw.text((800, 586), f"{stored.width} x {stored.height} pixels, {len(stored.body) / 1e6:.2f} MB", GREY, small)
    draw.text((800, 610), "upright, sRGB, no metadata", GREY, small)
    return page


def main() -> None:
    photo = photograph(draw_house())
    structure = inspect_image(photo, PixelLimits())
    stored = render_picture(structure, file_size=len(photo), plan=RenderPlan(), emit=ignore_variant)
    compose(photo, stored).save(TARGET, "JPEG", quality=85, optimize=True)


if __name__ == "__main__":
    main()
