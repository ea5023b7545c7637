"""Limits hold exactly at their edges, and fitted sizes keep their promises for every size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.exceptions import ImageEmpty, ImageTooLarge, ImageTooManyFrames, ImageTooManyPixels
from app.images.formats import ImageFormat
from app.images.geometry import fit_within
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits, check_file_size, check_pixels
from app.images.records import Structure
from tests.pictures import png_header, png_of

LIMITS = PixelLimits(
    max_pixels=1_000_000,
    max_side_pixels=5_000,
    max_costly_pixels=500_000,
    max_avif_pixels=400_000,
    max_frames=10,
    max_animation_pixels=2_000_000,
)
sides = st.integers(1, 65_535)


def _structure(
    width: int,
    height: int,
    *,
    is_costly: bool = False,
    image_format: ImageFormat = ImageFormat.PNG,
    frames: int = 1,
) -> Structure:
    return Structure(image_format, width, height, frames, is_costly, b"")


def test_a_file_of_exactly_the_limit_passes() -> None:
    """The limit itself is still allowed."""
    check_file_size(1, max_bytes=10)
    check_file_size(10, max_bytes=10)


def test_a_file_over_the_limit_is_too_large() -> None:
    """One byte more is refused, and the answer says how much is allowed."""
    with pytest.raises(ImageTooLarge, match="10 bytes"):
        check_file_size(11, max_bytes=10)


def test_an_empty_file_is_called_empty() -> None:
    """Nothing is not a damaged picture: the answer says that the file is empty."""
    with pytest.raises(ImageEmpty):
        check_file_size(0, max_bytes=10)


def test_pixels_at_the_limit_pass_and_costly_ones_have_half() -> None:
    """Progressive, interlaced and lossless codings take more memory, so they get half the pixels."""
    check_pixels(_structure(1000, 1000), LIMITS)
    check_pixels(_structure(1000, 500, is_costly=True), LIMITS)
    with pytest.raises(ImageTooManyPixels, match="1000 × 1001"):
        check_pixels(_structure(1000, 1001), LIMITS)
    with pytest.raises(ImageTooManyPixels, match="500000 are the most"):
        check_pixels(_structure(1000, 501, is_costly=True), LIMITS)


def test_avif_has_a_limit_of_its_own() -> None:
    """AVIF takes the most memory of all, so it gets the fewest pixels."""
    check_pixels(_structure(1000, 400, image_format=ImageFormat.AVIF, is_costly=True), LIMITS)
    with pytest.raises(ImageTooManyPixels, match="400000 are the most"):
        check_pixels(_structure(1000, 401, image_format=ImageFormat.AVIF, is_costly=True), LIMITS)


@pytest.mark.parametrize("image_format", [ImageFormat.GIF, ImageFormat.WEBP, ImageFormat.PNG])
def test_frames_at_the_limit_pass_and_one_more_is_refused(image_format: ImageFormat) -> None:
    """An animation may be long, not endless; the answer says how long."""
    check_pixels(_structure(10, 10, image_format=image_format, frames=10), LIMITS)
    with pytest.raises(ImageTooManyFrames, match="11 frames; 10 are the most"):
        check_pixels(_structure(10, 10, image_format=image_format, frames=11), LIMITS)


@pytest.mark.parametrize("image_format", [ImageFormat.GIF, ImageFormat.WEBP])
def test_the_frames_of_an_animation_count_together(image_format: ImageFormat) -> None:
    """Each frame is painted on the whole canvas, so a few large frames weigh as much as many small ones."""
    check_pixels(_structure(500, 400, image_format=image_format, frames=10), LIMITS)
    with pytest.raises(ImageTooManyPixels, match="10 frames of 500 × 401 pixels; 2000000"):
        check_pixels(_structure(500, 401, image_format=image_format, frames=10), LIMITS)


def test_an_animation_of_which_one_frame_is_decoded_counts_as_one_picture() -> None:
    """An animated PNG becomes a still of its first frame, so the others cost nothing."""
    check_pixels(_structure(1000, 1000, frames=10), LIMITS)


def test_a_side_over_the_limit_is_refused() -> None:
    """A picture one pixel high may still be too long."""
    check_pixels(_structure(5000, 1), LIMITS)
    with pytest.raises(ImageTooManyPixels, match="5000"):
        check_pixels(_structure(1, 5001), LIMITS)


def test_a_huge_header_is_refused_before_anything_is_decoded() -> None:
    """A few bytes that announce 30,000 × 30,000 pixels are refused by their header alone."""
    header_only = png_of([(b"IHDR", png_header(30_000, 30_000)), (b"IDAT", b""), (b"IEND", b"")])
    with pytest.raises(ImageTooManyPixels):
        inspect_image(header_only, PixelLimits(max_pixels=100_000_000, max_side_pixels=30_000))


@given(sides, sides, st.integers(1, 65_535))
def test_a_fitted_size_is_within_the_limit_and_never_larger(width: int, height: int, max_side: int) -> None:
    """No stored side is longer than the limit, none is longer than it was sent, none vanishes."""
    fitted = fit_within(width, height, max_side)
    assert 1 <= fitted[0] <= min(width, max_side)
    assert 1 <= fitted[1] <= min(height, max_side)


@given(sides, sides, st.integers(1, 65_535))
def test_a_fitted_size_touches_the_limit_and_keeps_the_shape(width: int, height: int, max_side: int) -> None:
    """A picture that is scaled down has its longest side exactly at the limit, the other to within half a pixel."""
    fitted = fit_within(width, height, max_side)
    if max(width, height) <= max_side:
        assert fitted == (width, height)
        return
    assert max(fitted) == max_side
    assert abs(min(fitted) - min(width, height) * max_side / max(width, height)) <= 1


@given(sides, sides, st.integers(1, 65_535))
def test_fitting_a_turned_picture_gives_the_turned_size(width: int, height: int, max_side: int) -> None:
    """It makes no difference whether a picture is turned before or after it is scaled."""
    assert fit_within(height, width, max_side) == fit_within(width, height, max_side)[::-1]


@given(sides, sides, st.integers(1, 65_535))
def test_fitting_twice_changes_nothing(width: int, height: int, max_side: int) -> None:
    """A stored picture that is uploaded again keeps its size."""
    fitted = fit_within(width, height, max_side)
    assert fit_within(*fitted, max_side) == fitted
