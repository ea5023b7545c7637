"""Every encoder keeps pixels, size and kind of the picture, and what more effort is for."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from app.images.formats import ImageFormat
from app.services.decoder.codecs import encode
from tests.pictures import photo
from tests.services.codecs.making import decoded, judged, landscape, mean_error, vips_image

LOSSY = [ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.AVIF]
WRITTEN = [*LOSSY, ImageFormat.PNG]
EVERY_EFFORT = range(10)


@pytest.mark.parametrize("size", [(160, 120), (97, 61), (1, 1), (1, 40), (300, 3)])
@pytest.mark.parametrize("image_format", WRITTEN)
def test_size_and_colours_survive(image_format: ImageFormat, size: tuple[int, int]) -> None:
    """What is encoded decodes to the same size and nearly the same colours, odd sizes included."""
    picture = photo(*size)
    body = encode(vips_image(picture), image_format, quality=90, effort=0)
    assert decoded(body).format == image_format.name
    assert decoded(body).size == size
    # Noise in colour is halved in each direction, which shows where there are only three rows.
    assert mean_error(body, picture) < (6 if min(size) != 3 else 15)


@pytest.mark.parametrize("image_format", WRITTEN)
def test_grey_stays_grey(image_format: ImageFormat) -> None:
    """A grey picture is stored without colour where the format knows such pictures, and shown without in any."""
    picture = photo(120, 90, mode="L")
    shown = decoded(encode(vips_image(picture), image_format, quality=85, effort=0))
    assert shown.mode == ("RGB" if image_format is ImageFormat.WEBP else "L")
    colours = np.asarray(shown.convert("RGB"), int)
    assert np.ptp(colours, axis=2).max() <= 2


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("image_format", [ImageFormat.WEBP, ImageFormat.AVIF, ImageFormat.PNG])
def test_transparency_survives(image_format: ImageFormat, mode: str) -> None:
    """Soft edges of transparency stay soft and where they were."""
    picture = photo(120, 90, mode=mode)
    shown = decoded(encode(vips_image(picture), image_format, quality=90, effort=0)).convert("RGBA")
    ours, theirs = np.asarray(picture.convert("RGBA"), int), np.asarray(shown, int)
    assert np.abs(ours - theirs)[..., 3].mean() < 1.5
    assert np.abs(ours - theirs)[ours[..., 3] > 200].mean() < 8


def test_webp_without_a_quality_is_lossless() -> None:
    """None asks for the same pixels, bit for bit; the colour of what is transparent is nobody's business."""
    picture = photo(90, 70, mode="RGBA")
    shown = decoded(encode(vips_image(picture), ImageFormat.WEBP, quality=None, effort=0)).convert("RGBA")
    ours, theirs = np.asarray(picture), np.asarray(shown)
    is_visible = ours[..., 3] > 0
    assert np.array_equal(ours[is_visible], theirs[is_visible])
    assert np.array_equal(ours[..., 3], theirs[..., 3])


@pytest.mark.parametrize("image_format", LOSSY)
def test_quality_trades_bytes_for_likeness(image_format: ImageFormat) -> None:
    """A higher quality is a larger file that is nearer to the picture."""
    picture = photo(240, 180)
    bodies = [encode(vips_image(picture), image_format, quality=quality, effort=0) for quality in (1, 30, 60, 90, 100)]
    assert sorted(bodies, key=len) == bodies
    errors = [mean_error(body, picture) for body in bodies]
    assert sorted(errors, reverse=True) == errors


@pytest.mark.parametrize("image_format", [ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.PNG])
def test_more_effort_saves_bytes(image_format: ImageFormat) -> None:
    """The slow encodings that background work makes are smaller."""
    picture = vips_image(landscape())
    quick, slow = (encode(picture, image_format, quality=80, effort=effort) for effort in (0, 9))
    assert len(slow) < len(quick)


def test_more_effort_gives_better_avifs() -> None:
    """A slow AVIF of no more bytes is more similar than a quick one."""
    picture = landscape(320, 256)
    quick = encode(vips_image(picture), ImageFormat.AVIF, quality=70, effort=0)
    slow = (encode(vips_image(picture), ImageFormat.AVIF, quality=quality, effort=7) for quality in range(75, 55, -1))
    fits = next(each for each in slow if len(each) <= len(quick))
    assert judged(picture, fits) > judged(picture, quick)


@pytest.mark.parametrize("image_format", WRITTEN)
def test_every_effort_is_known(image_format: ImageFormat) -> None:
    """Each of the ten efforts of a spec encodes."""
    picture = vips_image(photo(40, 30))
    assert all(encode(picture, image_format, quality=80, effort=effort) for effort in EVERY_EFFORT)


def sampling_and_frame(body: bytes) -> tuple[list[int], int]:
    """The sampling factors of the components, and the marker of the frame: 0xC0 for baseline, 0xC2 for progressive."""
    at = 2
    while body[at + 1] not in {0xC0, 0xC1, 0xC2}:
        at += 2 + int.from_bytes(body[at + 2 : at + 4], "big")
    return [body[at + 11 + 3 * component] for component in range(body[at + 9])], body[at + 1]


def test_jpegs_are_baseline_unless_effort_is_asked_for() -> None:
    """The stored original is rendered from again, and a progressive JPEG takes twice as long to decode."""
    frames = [
        sampling_and_frame(encode(vips_image(landscape()), ImageFormat.JPEG, quality=75, effort=effort))
        for effort in (0, 9)
    ]
    assert frames == [([0x22, 0x11, 0x11], 0xC0), ([0x22, 0x11, 0x11], 0xC2)]


@pytest.mark.parametrize("quality", [60, 80, 90])
def test_jpegs_are_smaller_than_the_usual_ones(quality: int) -> None:
    """A number means the likeness that everyone means by it, in fewer bytes than with the tables of the standard."""
    picture = landscape(320, 256)
    usual = io.BytesIO()
    picture.save(usual, "JPEG", quality=quality, optimize=True)
    ours = encode(vips_image(picture), ImageFormat.JPEG, quality=quality, effort=0)
    assert len(ours) < 0.95 * len(usual.getvalue())
    assert judged(picture, ours) > judged(picture, usual.getvalue()) - 2


@pytest.mark.parametrize(
    ("picture", "quality", "image_format"),
    [
        (photo(20, 20, mode="RGBA"), 80, ImageFormat.JPEG),
        (photo(20, 20), None, ImageFormat.JPEG),
        (photo(20, 20), None, ImageFormat.AVIF),
        (photo(20, 20), 80, ImageFormat.GIF),
        (photo(20, 20), 80, ImageFormat.HEIC),
    ],
)
def test_what_a_format_cannot_do_is_said(picture: Image.Image, quality: int | None, image_format: ImageFormat) -> None:
    """Nothing is encoded as something else than was asked for."""
    with pytest.raises(ValueError, match=r"\w"):
        encode(vips_image(picture), image_format, quality=quality, effort=0)
