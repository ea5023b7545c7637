"""Profiles of every kind end in sRGB as LittleCMS has it; profiles that say nothing cost nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from app.images.formats import ImageFormat
from app.images.records import Qualities
from app.images.variants import VariantSpec
from tests.icc_profiles import adobe_rgb, display_p3
from tests.pictures import make_jpeg, make_png, make_webp, photo, pixels_of
from tests.services.decoder.print_profiles import press_profile
from tests.services.decoder.rendering import render
from tests.services.decoder.sources import make_avif, make_deep_avif, make_pillow_tiff

Pixels = np.ndarray[Any, np.dtype[np.float64]]
BEST = Qualities(jpeg=100, webp=100, avif=100)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def patches(mode: str) -> Image.Image:
    """Even squares of 64 colours, so that the noise of coding does not count."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    colours = np.random.default_rng(8).integers(0, 256, (8, 8, bands)).astype(np.uint8)
    return Image.fromarray(colours.repeat(16, axis=0).repeat(16, axis=1), mode)


def in_srgb(picture: Image.Image, profile: bytes) -> Pixels:
    """The picture's colours in sRGB, by LittleCMS through Pillow."""
    converted = ImageCms.profileToProfile(
        picture,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    assert converted is not None
    return np.asarray(converted, dtype=np.float64)


def inside(pixels: Pixels) -> Pixels:
    """The middle of each square."""
    return pixels.reshape(8, 16, 8, 16, -1)[:, 4:12, :, 4:12]


SOURCES: dict[str, Callable[[bytes], bytes]] = {
    "png": lambda icc: make_png(0, 0, picture=patches("RGB"), icc=icc),
    "jpeg": lambda icc: make_jpeg(0, 0, picture=patches("RGB"), icc=icc, quality=100),
    "webp": lambda icc: make_webp(0, 0, picture=patches("RGB"), icc=icc, lossless=True),
    "avif": lambda icc: make_avif(patches("RGB"), icc_profile=icc, quality=100),
    "tiff": lambda icc: make_pillow_tiff(patches("RGB"), icc_profile=icc),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("profile", [display_p3(), adobe_rgb()], ids=["Display P3", "Adobe RGB"])
def test_wide_colours_of_every_format_are_converted(name: str, profile: bytes) -> None:
    """In original and variants the colours are those that LittleCMS gives, within one step of 255 on average."""
    content = SOURCES[name](profile)
    sent = Image.open(io.BytesIO(content)).convert("RGB")
    expected = in_srgb(sent, profile)
    assert np.abs(expected - np.asarray(sent)).mean() > 4, "the profile must matter"
    rendered = render(content, qualities=BEST, variants=(VariantSpec("128", ImageFormat.WEBP, 128, quality=100),))
    assert np.abs(inside(pixels_of(rendered.variants[0].body)) - inside(expected)).mean() <= 1
    # Not longer than what was sent, so maybe of a lower quality.
    assert np.abs(inside(pixels_of(rendered.body)) - inside(expected)).mean() <= 2.5


@pytest.mark.parametrize("make", [make_jpeg, make_pillow_tiff], ids=["jpeg", "tiff"])
def test_a_picture_for_the_press_is_converted_by_its_profile(make: Callable[..., bytes]) -> None:
    """CMYK with the profile of a printing press shows the colours that the press would print."""
    inks = patches("CMYK")
    profile = press_profile()
    content = (
        make_jpeg(0, 0, picture=inks, icc=profile, quality=100)
        if make is make_jpeg
        else make_pillow_tiff(inks, icc_profile=profile)
    )
    rendered = render(content, qualities=BEST)
    assert rendered.format is ImageFormat.JPEG
    assert np.abs(inside(pixels_of(rendered.body)) - inside(in_srgb(inks, profile))).mean() <= 1.5


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_avif_is_read_in_full(bits: int) -> None:
    """Ten or twelve bits per sample end in eight, scaled and not cut off."""
    rendered = render(make_deep_avif(patches("RGB"), bits=bits), qualities=BEST)
    assert np.abs(inside(pixels_of(rendered.body)) - inside(np.asarray(patches("RGB"), dtype=float))).mean() <= 3


def test_an_avif_that_names_display_p3_by_number_is_converted() -> None:
    """Android's cameras write no profile but two numbers: primaries 12 are those of Display P3 (ITU-T H.273)."""
    content = make_avif(patches("RGB"), quality=100)
    named = content.replace(b"nclx\0\1\0\x0d", b"nclx\0\x0c\0\x0d")
    assert named != content
    expected = in_srgb(patches("RGB"), display_p3())
    assert np.abs(inside(pixels_of(render(named, qualities=BEST).body)) - inside(expected)).mean() <= 2


@pytest.mark.parametrize("name", SOURCES)
def test_a_profile_that_is_srgb_leaves_the_picture_as_it_is(name: str) -> None:
    """Most photos carry a needless profile: it is dropped, and the pixels are those of the same file without it."""
    with_profile, without = render(SOURCES[name](SRGB)), render(SOURCES[name](b""))
    np.testing.assert_array_equal(pixels_of(with_profile.body), pixels_of(without.body))


def test_a_squeezed_jpeg_with_a_needless_profile_keeps_its_pixels() -> None:
    """Where coding again saves too little, the sender's own pixels stay, without the profile."""
    content = make_jpeg(300, 200, quality=60, icc=SRGB)
    rendered = render(content)
    np.testing.assert_array_equal(pixels_of(rendered.body), pixels_of(content))
    assert b"ICC_PROFILE" not in rendered.body


def test_a_grey_picture_with_a_profile_of_greys_stays_grey() -> None:
    """Its tones are converted, and it is not blown up to three channels."""
    curve = adobe_rgb()
    grey = curve[:16] + b"GRAY" + curve[20:].replace(b"gTRC", b"kTRC")
    picture = photo(80, 60, mode="L")
    rendered = render(make_png(0, 0, picture=picture, icc=grey))
    assert Image.open(io.BytesIO(rendered.body)).mode == "L"
    assert np.abs(pixels_of(rendered.body) - np.asarray(picture, dtype=float)[..., None]).mean() < 6
