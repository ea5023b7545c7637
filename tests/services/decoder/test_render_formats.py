"""Every coding of the accepted formats is read as others read it, and stored in a format that browsers show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.core.exceptions import ImageError, ImageFormatUnsupported
from app.images.formats import ImageFormat
from tests.pictures import decode, make_jpeg, make_png, make_webp, photo, pixels_of, quadrants
from tests.services.decoder.rendering import render
from tests.services.decoder.sources import (
    make_avif,
    make_deep_avif,
    make_gif,
    make_pillow_tiff,
    make_planar_tiff,
    make_tiff,
    make_tiff16,
)

PHOTO = photo(90, 70)
DRAWN = quadrants(96, 64)

TIFFS: dict[str, Callable[[], bytes]] = {
    "strips, not compressed": lambda: make_tiff(PHOTO),
    "strips, LZW": lambda: make_tiff(PHOTO, compression="lzw"),
    "strips, LZW, predictor": lambda: make_tiff(PHOTO, compression="lzw", predictor="horizontal"),
    "strips, Deflate": lambda: make_tiff(PHOTO, compression="deflate"),
    "strips, PackBits": lambda: make_tiff(PHOTO, compression="packbits"),
    "strips, JPEG": lambda: make_tiff(PHOTO, compression="jpeg", Q=95),
    "tiles, not compressed": lambda: make_tiff(PHOTO, tile=True),
    "tiles, LZW": lambda: make_tiff(PHOTO, tile=True, compression="lzw"),
    "tiles, Deflate, predictor": lambda: make_tiff(PHOTO, tile=True, compression="deflate", predictor="horizontal"),
    "tiles, JPEG": lambda: make_tiff(PHOTO, tile=True, compression="jpeg", Q=95),
    "separate planes": lambda: make_planar_tiff(PHOTO),
    "big endian": lambda: make_pillow_tiff(PHOTO, big_tiff=False, tiffinfo={}),
    "YCbCr": lambda: make_pillow_tiff(PHOTO, compression="jpeg", quality=95),
    "16 bits": lambda: make_tiff16(np.asarray(PHOTO).astype(np.uint16) * 257, compression="deflate"),
    "16 bits, tiles": lambda: make_tiff16(np.asarray(PHOTO).astype(np.uint16) * 257, tile=True),
    "several pages": lambda: make_pillow_tiff(PHOTO, save_all=True, append_images=[DRAWN]),
}


def difference(body: bytes, expected: Image.Image) -> float:
    """Mean over all samples, of 255."""
    return float(np.abs(pixels_of(body) - np.asarray(expected.convert("RGB"), dtype=np.float64)).mean())


@pytest.mark.parametrize("name", TIFFS)
def test_every_kind_of_tiff_is_stored_as_a_jpeg(name: str) -> None:
    """A scan or an export of a photo program looks the same as a JPEG, which browsers show."""
    rendered = render(TIFFS[name]())
    assert (rendered.format, rendered.width, rendered.height) == (ImageFormat.JPEG, 90, 70)
    assert rendered.source.format is ImageFormat.TIFF
    assert difference(rendered.body, PHOTO) < 5


@pytest.mark.parametrize("compression", ["none", "group4", "packbits"])
def test_a_black_and_white_scan_is_stored_without_loss(compression: str) -> None:
    """Text stays crisp: pages of one bit become PNGs, and not more bytes than were sent."""
    page = DRAWN.convert("1", dither=Image.Dither.NONE)
    how = {} if compression == "none" else {"compression": compression}
    rendered = render(make_pillow_tiff(page, **how))
    assert rendered.format in {ImageFormat.PNG, ImageFormat.WEBP}
    np.testing.assert_array_equal(pixels_of(rendered.body), pixels_of(make_png(0, 0, picture=page)))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_grey_tiff_of_few_bits_has_its_whole_range(bits: int) -> None:
    """Black is black and white is white, however few greys lie between."""
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (32, 1)))
    pixels = pixels_of(render(make_tiff(ramp, bitdepth=bits)).body)
    assert pixels.min() <= 3
    assert pixels.max() >= 252
    assert np.abs(pixels - np.asarray(ramp)[..., None]).mean() < 255 / 2**bits


def test_a_tiff_with_a_palette_keeps_its_colours() -> None:
    """Indices are looked up."""
    rendered = render(make_pillow_tiff(DRAWN.quantize(8)))
    assert difference(rendered.body, DRAWN) < 3


def test_a_cmyk_tiff_becomes_rgb() -> None:
    """A picture for print shows the right hues on the screen."""
    pixels = pixels_of(render(make_tiff(DRAWN.convert("CMYK"))).body)
    assert [int(pixels[y, x].argmax()) for y, x in ((10, 10), (10, 80), (50, 10))] == [0, 1, 2]


@pytest.mark.parametrize("premultiply", [False, True])
def test_the_alpha_of_a_tiff_is_kept_associated_or_not(premultiply: bool) -> None:
    """What shines through does so after upload, whether the file has weighed its colours or not."""
    picture = photo(60, 40, mode="RGBA")
    rendered = render(make_tiff(picture, premultiply=premultiply))
    expected = np.asarray(picture).astype(float)
    found = pixels_of(rendered.body, mode="RGBA")
    assert rendered.format is ImageFormat.WEBP
    assert rendered.has_alpha
    assert np.abs(found[..., 3] - expected[..., 3]).mean() < 2
    weights = expected[..., 3:] / 255
    assert np.abs((found - expected)[..., :3] * weights).mean() < 6


@pytest.mark.parametrize("mode", ["F", "I"])
def test_a_tiff_of_measurements_is_refused(mode: str) -> None:
    """Numbers that are no colours cannot be shown, and the answer says so."""
    with pytest.raises(ImageFormatUnsupported):
        render(make_pillow_tiff(photo(20, 10, mode="L").convert(mode)))


@pytest.mark.parametrize("compression", ["lzw", "deflate"])
def test_a_tile_that_cannot_be_decoded_is_refused(compression: str) -> None:
    """No picture with a black square where a tile was damaged is ever stored."""
    content = bytearray(make_tiff(photo(200, 160), tile=True, tile_width=64, tile_height=64, compression=compression))
    content[4000:4400] = b"\xff" * 400
    with pytest.raises(ImageError):
        render(bytes(content))


@pytest.mark.parametrize(
    ("make", "stored", "tolerance"),
    [
        (lambda: make_avif(PHOTO), ImageFormat.AVIF, 4),
        (lambda: make_avif(PHOTO.convert("L")), ImageFormat.AVIF, 4),
        (lambda: make_avif(PHOTO, subsampling="4:2:0"), ImageFormat.AVIF, 5),
        (lambda: make_deep_avif(PHOTO, bits=10), ImageFormat.AVIF, 4),
        (lambda: make_deep_avif(PHOTO, bits=12), ImageFormat.AVIF, 4),
        (lambda: make_gif([PHOTO.quantize(256)]), ImageFormat.PNG, 4),
        (lambda: make_webp(0, 0, picture=PHOTO, quality=95), ImageFormat.WEBP, 4),
        (lambda: make_jpeg(0, 0, picture=PHOTO, quality=95), ImageFormat.JPEG, 4),
    ],
    ids=["avif", "grey avif", "avif 4:2:0", "avif of 10 bits", "avif of 12 bits", "still gif", "webp", "jpeg"],
)
def test_formats_that_browsers_show_are_kept(make: Any, stored: ImageFormat, tolerance: float) -> None:
    """An AVIF stays an AVIF; a still GIF, which is outdated, becomes a picture without loss."""
    content = make()
    rendered = render(content)
    assert rendered.format is stored or (stored is ImageFormat.PNG and rendered.format is ImageFormat.WEBP)
    assert decode(rendered.body).format == rendered.format.name
    assert len(rendered.body) <= len(content)
    expected = PHOTO.convert("L") if content == make_avif(PHOTO.convert("L")) else PHOTO
    assert difference(rendered.body, expected) < tolerance


def test_an_avif_keeps_its_alpha() -> None:
    """A translucent AVIF stays translucent, in the original and in what stands in for its JPEGs."""
    picture = photo(80, 60, mode="RGBA")
    rendered = render(make_avif(picture))
    assert rendered.has_alpha
    assert np.abs(pixels_of(rendered.body, mode="RGBA")[..., 3] - np.asarray(picture)[..., 3]).mean() < 3


def test_a_still_gif_keeps_its_transparency() -> None:
    """The see-through colour of a logo stays see-through, and every pixel is what it was."""
    picture = DRAWN.quantize(4)
    picture.info["transparency"] = picture.getpixel((5, 5))
    content = make_gif([picture], transparency=picture.info["transparency"])
    rendered = render(content)
    assert rendered.has_alpha
    alpha = pixels_of(rendered.body, mode="RGBA")[..., 3]
    assert (alpha == 0).mean() == 0.25
    assert (alpha == 255).mean() == 0.75


def test_alpha_that_hides_nothing_is_dropped() -> None:
    """A screenshot with a needless alpha channel is not stored or shown as if something shone through."""
    opaque = photo(80, 60).convert("RGBA")
    rendered = render(make_png(0, 0, picture=opaque))
    assert not rendered.has_alpha
    np.testing.assert_array_equal(pixels_of(rendered.body), np.asarray(opaque.convert("RGB")))
