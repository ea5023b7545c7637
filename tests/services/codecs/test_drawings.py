"""Screenshots and logos are told from photos, and coded so that letters stay sharp in few bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from app.images.formats import ImageFormat
from app.services.decoder.codecs import encode
from app.services.decoder.drawings import is_drawn
from tests.pictures import photo
from tests.services.codecs.making import judged, landscape, vips_image


def screenshot(*, width: int = 640, scale: int = 2) -> Image.Image:
    """Coloured letters on white, drawn larger and made smaller."""
    page = Image.new("RGB", (width * scale, width * scale * 3 // 4), (250, 250, 252))
    pen = ImageDraw.Draw(page)
    pen.rectangle((0, 0, page.width, 40 * scale), fill=(32, 60, 120))
    inks = ("black", (200, 30, 40), (20, 90, 200))
    for row in range(12):
        text = f"{row} guests ask for keys, towels and breakfast on day {row * 7919 % 97} of their stay"
        font = ImageFont.load_default(12 * scale)
        pen.text((20 * scale, (60 + 32 * row) * scale), text, font=font, fill=inks[row % len(inks)])
    return page.resize((width, width * 3 // 4), Image.Resampling.LANCZOS)


def is_whole_colour(avif: bytes) -> bool:
    """Whether the picture is coded 4:4:4: the subsampling bits of its av1C box (AV1-ISOBMFF, 2.3.3)."""
    configuration = avif[avif.index(b"av1C") + 4 :]
    return configuration[2] & 0b1100 == 0


def logo() -> Image.Image:
    picture = Image.new("RGBA", (300, 200), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((30, 30, 270, 170), fill=(220, 60, 30, 255), outline=(20, 20, 20, 255), width=6)
    return picture


def gradient() -> Image.Image:
    across = np.linspace(0, 255, 640).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(across[None, :, None], (300, 640, 3)).copy())


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (screenshot(), True),
        (screenshot(width=320, scale=4), True),
        (screenshot().convert("L"), True),
        (logo(), True),
        (photo(640, 480), False),
        (landscape(), False),
        (gradient(), False),
        (Image.new("RGB", (300, 200), "navy"), False),
        (Image.new("RGB", (1, 1)), False),
        (Image.new("RGB", (1, 500)), False),
    ],
)
def test_drawings_are_told_from_photos(picture: Image.Image, expected: bool) -> None:
    """Few changes, and those sharp: that is a drawing, in whatever size it is stored."""
    assert is_drawn(vips_image(picture)) is expected


def test_letters_keep_their_colour() -> None:
    """AVIFs of screenshots have whole colour; those of photos have a quarter, which every device decodes."""
    shots = {
        name: is_whole_colour(encode(vips_image(picture), ImageFormat.AVIF, quality=60, effort=0))
        for name, picture in {"screenshot": screenshot(), "photo": landscape()}.items()
    }
    assert shots == {"screenshot": True, "photo": False}


def test_screenshots_are_smaller_than_usual_webps() -> None:
    """An AVIF of a screenshot takes fewer bytes than a WebP of quality 80 that looks no better."""
    picture = screenshot()
    usual = io.BytesIO()
    picture.save(usual, "WEBP", quality=80)
    wanted = judged(picture, usual.getvalue())
    ours = (encode(vips_image(picture), ImageFormat.AVIF, quality=quality, effort=0) for quality in range(50, 95, 5))
    good_enough = next(body for body in ours if judged(picture, body) >= wanted)
    assert len(good_enough) < 0.8 * len(usual.getvalue())
