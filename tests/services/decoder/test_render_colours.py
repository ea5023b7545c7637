"""Colours look as they did: profiles are converted, never just dropped, and every coding of colour is read.

Known gaps, on purpose: a PNG's gAMA without a profile, and Adobe RGB announced by EXIF alone, are read as sRGB, as
browsers do with the second.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from app.images.formats import ImageFormat
from tests.icc_profiles import adobe_rgb, display_p3
from tests.pictures import decode, make_jpeg, make_png, make_png16, make_webp, photo, pixels_of
from tests.services.decoder.rendering import render

PROFILES = {"Display P3": display_p3(), "Adobe RGB": adobe_rgb()}


def as_srgb(image: Image.Image, profile: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The same colours in sRGB, by LittleCMS through Pillow: another way than the one under test."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(
        image, source, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
    )
    assert converted is not None
    return np.asarray(converted, dtype=np.float64)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_converted_to_srgb(profile: str) -> None:
    """A phone's wide colours look the same after upload, within one step of 255 on average."""
    icc = PROFILES[profile]
    picture = photo(120, 90)
    rendered = render(make_png(0, 0, picture=picture, icc=icc))
    expected = as_srgb(picture, icc)
    assert "icc_profile" not in decode(rendered.body).info
    assert np.abs(expected - np.asarray(picture, dtype=np.float64)).mean() > 4, "the profile must matter"
    assert np.abs(pixels_of(rendered.body) - expected).mean() <= 1


@pytest.mark.parametrize("make", [make_jpeg, make_webp])
def test_profiles_of_lossy_formats_are_converted_too(make: object) -> None:
    """The same holds for JPEG and WebP, but for the noise of their coding."""
    icc = display_p3()
    content = make(160, 120, quality=95, icc=icc)  # type: ignore[operator]
    expected = as_srgb(decode(content), icc)
    assert np.abs(pixels_of(render(content).body) - expected).mean() < 4


def test_a_profile_is_converted_when_the_picture_is_scaled() -> None:
    """Scaling and converting together give the colours that converting alone gives."""
    icc = display_p3()
    picture = Image.new("RGB", (300, 200), (40, 200, 60))
    rendered = render(make_png(0, 0, picture=picture, icc=icc), max_side_pixels=100)
    assert np.abs(pixels_of(rendered.body) - as_srgb(picture, icc)[:67, :100]).max() <= 1


@pytest.mark.parametrize("icc", [b"garbage" * 40, display_p3()[:1000], display_p3()[:128] + bytes(400)])
@pytest.mark.parametrize("make", [make_jpeg, make_png, make_webp])
def test_a_broken_profile_does_not_lose_the_picture(make: object, icc: bytes) -> None:
    """A profile that nobody can read is dropped; the photo is stored as if it had none."""
    picture = photo(60, 40)
    content = make(0, 0, picture=picture, icc=icc)  # type: ignore[operator]
    assert np.abs(pixels_of(render(content).body) - np.asarray(picture)).mean() < 6


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_profile_for_other_channels_does_not_lose_the_picture(mode: str) -> None:
    """A grey or CMYK file with an RGB profile, as some programs write, is stored as if it had none."""
    with_profile, without = (render(make_jpeg(60, 40, mode=mode, icc=icc)) for icc in (display_p3(), None))
    assert np.abs(pixels_of(with_profile.body) - pixels_of(without.body)).mean() < 2


def test_cmyk_becomes_rgb() -> None:
    """A picture for print shows the right hues on the screen."""
    picture = Image.new("RGB", (90, 30), (255, 255, 255))
    for at, colour in enumerate([(200, 40, 40), (40, 160, 60), (40, 60, 180)]):
        picture.paste(colour, (30 * at, 0, 30 * at + 30, 30))
    rendered = render(make_jpeg(0, 0, picture=picture.convert("CMYK")))
    assert rendered.format is ImageFormat.JPEG
    for at, strongest in enumerate([0, 1, 2]):
        assert int(pixels_of(rendered.body)[15, 30 * at + 15].argmax()) == strongest


@pytest.mark.parametrize("maker", [make_jpeg, make_png])
def test_grey_stays_grey(maker: object) -> None:
    """A black-and-white photo keeps its greys and is not blown up to three channels."""
    content = maker(80, 60, mode="L")  # type: ignore[operator]
    rendered = render(content)
    assert decode(rendered.body).mode == "L"
    assert np.abs(pixels_of(rendered.body) - pixels_of(content)).mean() < 3


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "RGBA", "RGB"])
def test_every_kind_of_png_keeps_its_pixels(mode: str) -> None:
    """Black-and-white, palette, grey and colour, with transparency or without: nothing is lost."""
    content = make_png(70, 50, mode=mode)
    rendered = render(content)
    np.testing.assert_array_equal(pixels_of(rendered.body, mode="RGBA"), pixels_of(content, mode="RGBA"))
    assert rendered.has_alpha is (mode in {"LA", "RGBA"})


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_transparent_palette_stays_transparent(orientation: int) -> None:
    """A logo with a see-through colour keeps it, turned or not."""
    picture = Image.new("RGB", (64, 64), "red")
    picture.paste("blue", (0, 0, 64, 32))
    paletted = picture.quantize(4)
    paletted.info["transparency"] = paletted.getpixel((5, 5))
    rendered = render(make_png(0, 0, picture=paletted, orientation=orientation))
    assert rendered.has_alpha
    pixels = pixels_of(rendered.body, mode="RGBA")
    assert (pixels[..., 3] == 0).mean() == 0.5
    assert pixels[60, 3, 3] == 255


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_sixteen_bits_are_scaled_not_clipped(bands: int) -> None:
    """A picture with 65,536 steps per channel keeps its range of light in 256."""
    samples = np.random.default_rng(5).integers(0, 65_536, (40, 60, bands)).astype(np.uint16)
    if bands in {2, 4}:
        samples[..., -1] = 65_535
    rendered = render(make_png16(samples))
    expected = samples[..., : 1 if bands <= 2 else 3] / 257
    assert rendered.format is ImageFormat.PNG
    assert np.abs(pixels_of(rendered.body) - expected).mean() <= 1


def test_sixteen_bits_with_a_profile_are_scaled_and_converted() -> None:
    """Wide colours in 16 bits end as the same colours in sRGB."""
    grey = np.full((20, 20, 3), 32_768, np.uint16)
    content = make_png16(grey)
    with_profile = make_png(0, 0, picture=photo(1, 1), icc=display_p3())
    start = with_profile.index(b"iCCP") - 4
    chunk = with_profile[start : start + 12 + int.from_bytes(with_profile[start : start + 4], "big")]
    rendered = render(content[:33] + chunk + content[33:])
    assert np.abs(pixels_of(rendered.body) - 128).max() <= 1


@pytest.mark.parametrize("make", [make_png, make_webp])
def test_transparency_is_kept_when_scaled_and_leaves_no_fringe(make: object) -> None:
    """The edge of a cut-out keeps its colour: what lies hidden under full transparency does not bleed in."""
    pixels = np.zeros((200, 200, 4), np.uint8)
    pixels[..., 1] = 255
    pixels[:, 77:] = (255, 0, 0, 255)
    content = make(0, 0, picture=Image.fromarray(pixels), **({} if make is make_png else {"lossless": True}))  # type: ignore[operator]
    rendered = render(content, max_side_pixels=50)
    assert rendered.has_alpha
    scaled = pixels_of(rendered.body, mode="RGBA")
    assert scaled[:, :15, 3].max() == 0
    assert scaled[:, 25:, 3].min() == 255
    visible = scaled[scaled[..., 3] > 8]
    assert visible[:, 0].min() > 240
    assert visible[:, 1].max() < 16


def test_a_lossy_picture_with_transparency_keeps_it() -> None:
    """A translucent WebP stays translucent."""
    content = make_webp(80, 60, mode="RGBA")
    rendered = render(content)
    assert rendered.has_alpha
    assert np.abs(pixels_of(rendered.body, mode="RGBA")[..., 3] - pixels_of(content, mode="RGBA")[..., 3]).mean() < 2
