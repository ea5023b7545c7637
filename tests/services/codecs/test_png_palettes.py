"""PNGs are lossless, and short where few colours are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from app.images.formats import ImageFormat
from app.services.decoder.codecs import encode
from tests.pictures import photo
from tests.services.codecs.making import decoded, vips_image


def of_colours(count: int, *, bands: int = 3, side: int = 64) -> np.ndarray:
    """A picture of exactly so many colours, each in several places."""
    random = np.random.default_rng(count)
    packed = random.choice(1 << 24, size=count, replace=False).astype(np.uint32)
    palette = np.stack([packed >> 16, packed >> 8 & 255, packed & 255, random.integers(0, 256, count)], axis=-1)
    places = np.concatenate([np.arange(count), random.integers(0, count, side * side - count)])
    pixels = palette[random.permutation(places)].reshape(side, side, 4)
    return np.asarray(pixels[..., :bands], np.uint8)


@pytest.mark.parametrize("bands", [3, 4])
@pytest.mark.parametrize(("colours", "is_paletted"), [(1, True), (2, True), (16, True), (256, True), (257, False)])
def test_few_colours_become_a_palette(colours: int, is_paletted: bool, bands: int) -> None:
    """Up to 256 colours are stored as indices, and not one pixel changes, transparency included."""
    pixels = of_colours(colours, bands=bands)
    shown = decoded(encode(vips_image(pixels), ImageFormat.PNG, quality=None, effort=0))
    assert (shown.mode == "P") is is_paletted
    assert np.array_equal(np.asarray(shown.convert("RGBA" if bands == 4 else "RGB")), pixels)


@pytest.mark.parametrize("effort", [0, 9])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pixels_are_kept_exactly(mode: str, effort: int) -> None:
    """Every kind of pixels comes back as it was."""
    picture = photo(75, 50, mode=mode)
    shown = decoded(encode(vips_image(picture), ImageFormat.PNG, quality=None, effort=effort))
    assert shown.mode == mode
    assert np.array_equal(np.asarray(shown), np.asarray(picture))


def test_drawings_and_photos_are_both_short() -> None:
    """Row filters that shorten photos lengthen screenshots: each gets what suits it."""
    drawing = Image.fromarray(np.repeat(np.repeat(of_colours(300, side=24), 12, axis=0), 12, axis=1))
    smooth = photo(800, 600).resize((200, 150))
    for picture in (drawing, smooth):
        ours = len(encode(vips_image(picture), ImageFormat.PNG, quality=None, effort=0))
        vips = vips_image(picture)
        rivals = [vips.pngsave_buffer(compression=6, filter=rows) for rows in ("none", "sub", "up", "paeth", "all")]
        assert ours <= 1.1 * min(map(len, rivals))
