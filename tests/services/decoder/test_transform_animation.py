"""Animations stay animations where they are only resized and cut into WebP; anything else shows their first frame."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from app.core.exceptions import ImageCorrupt
from app.images import geometry
from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.recipes import Recipe, TransformedImage
from app.images.records import FocalPoint
from app.services.decoder.transforming import transform_picture
from tests.pictures import CORNERS, make_webp, quadrants
from tests.services.decoder.sources import make_animated_webp, make_gif
from tests.services.decoder.transforming import FORMATS, LIMITS, colour_at, is_near, opened, transform

COLOURS = [(220, 30, 30), (30, 200, 40), (30, 40, 220)]
DURATIONS = [100, 200, 300]
FRAMES = [Image.new("RGB", (120, 80), colour) for colour in COLOURS]
MOVING = make_animated_webp(FRAMES, durations=DURATIONS, loop=3)


def frames_of(made: TransformedImage) -> list[tuple[tuple[int, ...], int]]:
    """The middle colour and the duration of each frame, as Pillow reads them."""
    found = []
    with Image.open(io.BytesIO(made.body)) as animation:
        for number in range(getattr(animation, "n_frames", 1)):
            animation.seek(number)
            picture = animation.convert("RGBA")
            found.append((colour_at(picture, 0.5, 0.5), int(animation.info["duration"])))
    return found


@pytest.mark.parametrize("content", [MOVING, make_gif(FRAMES, durations=DURATIONS, loop=2)])
@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("w:60", (60, 40)),
        ("w:30,h:30,fit:cover", (30, 30)),
        ("crop:box~0.5~0.5~0.5~0.5", (60, 40)),
        ("w:20,h:20,fit:cover,crop:box~0~0~0.5~0.5", (20, 20)),
    ],
)
@pytest.mark.parametrize("quality", [80, None])
def test_it_moves(content: bytes, text: str, size: tuple[int, int], quality: int | None) -> None:
    """All frames are there, each in its colour and as long as before, and it runs as often."""
    made = transform(content, text, image_format=ImageFormat.WEBP, quality=quality)
    assert (made.width, made.height, made.frames) == (*size, 3)
    found = frames_of(made)
    assert all(is_near(colour, expected) for (colour, _), expected in zip(found, COLOURS, strict=True))
    assert [duration for _, duration in found] == DURATIONS
    assert Image.open(io.BytesIO(made.body)).info["loop"] == 3


def test_every_frame_is_cut_at_the_same_place() -> None:
    """The focal point, and what draws the eye in the first frame, hold for all of them."""
    quarters = quadrants(120, 80)
    content = make_animated_webp([quarters, quarters.transpose(Image.Transpose.ROTATE_180)], durations=[100, 100])
    made = transform(
        content, "w:10,h:40,fit:cover", image_format=ImageFormat.WEBP, focal_point=FocalPoint(1, 0.5), quality=95
    )
    with Image.open(io.BytesIO(made.body)) as animation:
        for corners in (("top right", "bottom right"), ("bottom left", "top left")):
            picture = animation.convert("RGBA")
            for corner, height in zip(corners, (0.1, 0.9), strict=True):
                assert is_near(colour_at(picture, 0.5, height), CORNERS[corner], most=20)
            animation.seek(1)


@pytest.mark.parametrize("text", ["w:60,blur:1", "sharpen:1", "rotate:90", "w:60,h:90,fit:contain", "bg:112233"])
def test_other_steps_show_the_first_frame(text: str) -> None:
    """What is not only resized and cut is a still."""
    made = transform(MOVING, text, image_format=ImageFormat.WEBP)
    assert made.frames == 1
    assert is_near(colour_at(opened(made), 0.5, 0.5), COLOURS[0])


@pytest.mark.parametrize("image_format", [each for each in FORMATS if each is not ImageFormat.WEBP])
def test_other_formats_show_the_first_frame(image_format: ImageFormat) -> None:
    """Only WebP moves."""
    made = transform(MOVING, "w:60", image_format=image_format)
    assert (made.frames, made.format) == (1, image_format)
    assert is_near(colour_at(opened(made), 0.5, 0.5), COLOURS[0])


def test_a_still_that_might_move() -> None:
    """A recipe that keeps animations makes a plain picture of one that does not move."""
    assert transform(make_webp(60, 40), "w:30", image_format=ImageFormat.WEBP).frames == 1


def test_too_many_pixels_show_the_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """An animation whose frames would take too long is shown as its first one."""
    monkeypatch.setattr(geometry, "MAX_ANIMATED_VARIANT_PIXELS", 60 * 40 * 3 - 1)
    assert transform(MOVING, "w:60", image_format=ImageFormat.WEBP).frames == 1
    assert transform(MOVING, "w:59", image_format=ImageFormat.WEBP).frames == 3


def test_frames_of_another_size_are_refused() -> None:
    """A recipe for other pixels than those that are stored is not carried out on them."""
    recipe = Recipe((120, 81), (60, 40), ImageFormat.WEBP, quality=80, keeps_animation=True)
    with pytest.raises(ImageCorrupt):
        transform_picture(inspect_image(MOVING, LIMITS), recipe, overlay=None)


def test_what_draws_the_eye_stays_in_view() -> None:
    """An animation cut without a focal point shows what stands out in its first frame, in every frame."""
    frame = Image.new("RGB", (120, 40), (120, 120, 120))
    frame.paste((250, 30, 30), (100, 10, 118, 30))
    content = make_animated_webp([frame, frame.point(lambda value: value // 2)], durations=[100, 100], lossless=True)
    made = transform(content, "w:40,h:40,fit:cover", image_format=ImageFormat.WEBP)
    assert made.frames == 2
    assert max(colour_at(opened(made), x / 10, 0.5)[0] for x in range(11)) > 200
