"""A stored picture is never larger than what was sent, and storing it again changes nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.images.formats import ImageFormat
from tests.pictures import (
    add_jpeg_segments,
    add_png_chunks,
    decode,
    make_jpeg,
    make_png,
    make_png16,
    make_webp,
    photo,
    pixels_of,
    quadrants,
)
from tests.services.decoder.rendering import render
from tests.services.decoder.sources import make_avif, make_gif, make_pillow_tiff, make_tiff

# The shortest EXIF that turns a picture: there is no metadata left to save.
TURNED = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"


def squeezed(image: Image.Image, image_format: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, image_format, **options)
    return target.getvalue()


def noise(width: int, height: int, *, colours: int, seed: int) -> Image.Image:
    """Noise that nothing can compress, of so many colours."""
    random = np.random.default_rng(seed)
    image = Image.fromarray(random.integers(0, colours, (height, width)).astype(np.uint8)).convert("P")
    image.putpalette(bytes(random.integers(0, 256, 3 * colours).tolist()))
    return image


SQUEEZERS: dict[str, Callable[[Image.Image], bytes]] = {
    "png": lambda image: squeezed(image, "PNG", optimize=True),
    "rgb png": lambda image: squeezed(image.convert("RGB"), "PNG", optimize=True),
    "turned png": lambda image: add_png_chunks(squeezed(image, "PNG", optimize=True), [(b"eXIf", TURNED)]),
    "jpeg": lambda image: squeezed(image.convert("RGB"), "JPEG", quality=1, optimize=True, progressive=True),
    "turned jpeg": lambda image: add_jpeg_segments(
        squeezed(image.convert("RGB"), "JPEG", quality=1, optimize=True), [(0xE1, b"Exif\0\0" + TURNED)]
    ),
    "webp": lambda image: squeezed(image.convert("RGB"), "WEBP", quality=1, method=6),
    "lossless webp": lambda image: squeezed(image.convert("RGB"), "WEBP", lossless=True, method=6),
    "turned webp": lambda image: squeezed(image.convert("RGB"), "WEBP", lossless=True, method=6, exif=TURNED),
    "gif": lambda image: make_gif([image]),
    "avif": lambda image: make_avif(image.convert("RGB"), quality=1, speed=8),
    "turned avif": lambda image: make_avif(image.convert("RGB"), quality=1, speed=8, orientation=6),
    "tiff": lambda image: make_tiff(image.convert("RGB"), compression="deflate"),
    "scan": lambda image: make_pillow_tiff(image.convert("1"), compression="group4"),
    "16-bit png": lambda image: make_png16(np.asarray(image.convert("RGB")).astype(np.uint16) * 257),
}


@given(
    st.sampled_from(list(SQUEEZERS)),
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([1, 2, 3, 16, 256]),
    st.integers(0, 3),
)
@example("turned png", 700, 900, 2, 0)
@example("turned jpeg", 900, 700, 256, 0)
@settings(max_examples=80, deadline=None, database=None)
def test_nothing_stored_is_larger_than_what_was_sent(
    name: str, width: int, height: int, colours: int, seed: int
) -> None:
    """However small a file was squeezed before, the service never makes it larger."""
    content = SQUEEZERS[name](noise(width, height, colours=colours, seed=seed))
    rendered = render(content)
    assert len(rendered.body) <= len(content)
    assert decode(rendered.body).size == (rendered.width, rendered.height)


def test_what_no_quality_makes_smaller_is_stored_with_fewer_pixels() -> None:
    """Noise of one bit per pixel, scaled, has no shorter coding of that size: a smaller picture keeps the promise."""
    content = SQUEEZERS["png"](noise(2600, 100, colours=2, seed=0))
    rendered = render(content)
    assert len(rendered.body) <= len(content)
    assert decode(rendered.body).size == (rendered.width, rendered.height)
    assert rendered.width * 100 == pytest.approx(rendered.height * 2600, rel=0.05)


@pytest.mark.parametrize(
    "content",
    [
        make_jpeg(400, 300),
        make_jpeg(400, 300, quality=40),
        make_jpeg(400, 300, progressive=True, quality=84),
        make_jpeg(400, 300, mode="CMYK"),
        make_jpeg(300, 400, orientation=6),
        make_png(300, 200),
        make_png(300, 200, mode="P"),
        make_png(300, 200, mode="LA", orientation=8),
        make_webp(400, 300),
        make_webp(400, 300, mode="RGBA", quality=95),
        make_webp(300, 200, lossless=True),
        make_webp(300, 200, orientation=3),
        make_avif(photo(300, 200)),
        make_avif(photo(300, 200, mode="RGBA"), quality=60),
        make_avif(photo(300, 200), orientation=8),
        make_gif([photo(100, 70)]),
        make_tiff(photo(300, 200), compression="lzw"),
    ],
)
def test_a_stored_picture_uploaded_again_stays_byte_for_byte(content: bytes) -> None:
    """Downloading and uploading for ever loses nothing: the second time nothing changes any more."""
    first = render(content)
    second = render(first.body)
    assert second.body == first.body
    assert (second.format, second.width, second.height) == (first.format, first.width, first.height)


def test_coding_again_has_to_save_a_fifth() -> None:
    """A JPEG that is nearly as small as ours keeps its own pixels; one of high quality is made smaller."""
    nearly = make_jpeg(400, 300, quality=75)
    np.testing.assert_array_equal(pixels_of(render(nearly).body), pixels_of(nearly))
    generous = make_jpeg(400, 300, quality=96)
    assert len(render(generous).body) < 0.6 * len(generous)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (make_jpeg(200, 150), ImageFormat.JPEG),
        (make_png(200, 150), ImageFormat.PNG),
        (make_png(0, 0, picture=quadrants(90, 60, mode="RGBA"), orientation=6), ImageFormat.PNG),
        (make_webp(200, 150), ImageFormat.WEBP),
        (make_webp(200, 150, lossless=True, orientation=6), ImageFormat.WEBP),
    ],
)
def test_a_picture_keeps_its_format(content: bytes, expected: ImageFormat) -> None:
    """A PNG comes back as a PNG, a JPEG as a JPEG."""
    rendered = render(content)
    assert rendered.format is expected
    assert decode(rendered.body).format == expected.name


@pytest.mark.parametrize("quality", [60, 90])
def test_a_stored_jpeg_still_looks_like_the_one_sent(quality: int) -> None:
    """Made smaller, a photo still differs by less than what an eye can see."""
    content = make_jpeg(400, 300, quality=quality)
    assert np.abs(pixels_of(render(content).body) - pixels_of(content)).mean() < 3


def test_lossless_pictures_stay_lossless() -> None:
    """Screenshots and logos are stored without any loss, also when they must be turned."""
    picture = photo(120, 80)
    for content in (make_png(0, 0, picture=picture, orientation=3), make_webp(0, 0, picture=picture, lossless=True)):
        turned = np.asarray(picture)[::-1, ::-1] if b"eXIf" in content else np.asarray(picture)
        np.testing.assert_array_equal(pixels_of(render(content).body), turned)
