"""Animations survive as animated WebP: their frames, timing and loops as an independent reader sees them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.core.exceptions import ImageError, ImageTruncated
from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.structure import gif_blocks
from app.images.variants import Crop, VariantSpec, VariantTable
from app.services.decoder.animation import write_animations
from tests.icc_profiles import display_p3
from tests.pictures import make_webp, photo
from tests.services.decoder.rendering import LIMITS, render
from tests.services.decoder.sources import make_animated_webp, make_gif

Frames = list[np.ndarray[Any, np.dtype[np.float64]]]
DURATIONS = [40, 200, 70, 1000, 90]
COLOURS = ["red", "blue", "lime", "yellow", "black"]
SIZE = (96, 64)
AVIF_AND_JPEG = VariantTable(
    widths=(48,), presets=(), qualities=((ImageFormat.AVIF, 60), (ImageFormat.JPEG, 80))
).specs()


def moving_dot(count: int = 5, *, mode: str = "RGB") -> list[Image.Image]:
    """A dot that wanders over an even ground."""
    frames = []
    for at in range(count):
        frame = Image.new("RGBA", SIZE, (0, 0, 0, 0) if mode == "RGBA" else (90, 120, 150, 255))
        frame.paste((240, 60, 20, 255), (8 + 12 * at, 20, 28 + 12 * at, 40))
        frames.append(frame.convert(mode))
    return frames


def read(body: bytes) -> tuple[Frames, list[int], int]:
    """Frames as shown (RGBA), durations in milliseconds and loop count of an animation, by Pillow."""
    image = Image.open(io.BytesIO(body))
    frames, durations = [], []
    for at in range(getattr(image, "n_frames", 1)):
        image.seek(at)
        image.load()
        frames.append(np.asarray(image.convert("RGBA"), dtype=np.float64))
        durations.append(int(image.info.get("duration", 0)))
    return frames, durations, int(image.info.get("loop", -1))


def seen(frame: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What shows: colours weighed by alpha."""
    return np.concatenate([frame[..., :3] * frame[..., 3:] / 255, frame[..., 3:]], axis=2)


def assert_same_frames(found: Frames, expected: Frames, *, tolerance: float) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(seen(one) - seen(other)).mean() < tolerance


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_gif_becomes_an_animated_webp_with_its_timing(mode: str) -> None:
    """Every frame is shown as long as before, and looks as before."""
    content = make_gif(moving_dot(mode=mode), durations=DURATIONS, disposal=2)
    rendered = render(content)
    assert (rendered.format, rendered.width, rendered.height, rendered.frames) == (ImageFormat.WEBP, *SIZE, 5)
    assert rendered.facts.is_animated
    assert rendered.source.frames == 5
    frames, durations, _ = read(rendered.body)
    assert durations == DURATIONS
    assert_same_frames(frames, read(content)[0], tolerance=1)
    assert len(rendered.body) <= len(content)


@pytest.mark.parametrize(("repetitions", "plays"), [(None, 1), (0, 0), (1, 2), (4, 5)])
def test_a_gif_is_played_as_often_as_before(repetitions: int | None, plays: int) -> None:
    """GIF counts repetitions and WebP counts plays; a GIF that says nothing plays once."""
    assert read(render(make_gif(moving_dot(), loop=repetitions)).body)[2] == plays


@pytest.mark.parametrize("loop", [0, 1, 7])
def test_an_animated_webp_keeps_timing_and_loop(loop: int) -> None:
    """The same for WebP, whether it is coded again or kept."""
    content = make_animated_webp(moving_dot(), durations=DURATIONS, loop=loop, quality=95)
    frames, durations, found = read(render(content).body)
    assert (durations, found) == (DURATIONS, loop)
    assert_same_frames(frames, read(content)[0], tolerance=3)


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_frames_are_laid_over_one_another_as_the_gif_says(disposal: int) -> None:
    """What a frame leaves behind, restores or clears looks as it does in a browser."""
    content = make_gif(moving_dot(mode="RGBA"), disposal=disposal)
    assert_same_frames(read(render(content).body)[0], read(content)[0], tolerance=1)


@pytest.mark.parametrize("limit", [2560, 48])
def test_frames_do_not_bleed_into_one_another(limit: int) -> None:
    """Scaled or not, the edge of one frame never shows the colour of the next."""
    content = make_gif([Image.new("RGB", SIZE, colour) for colour in COLOURS])
    frames, _, _ = read(render(content, max_side_pixels=limit).body)
    for frame, colour in zip(frames, COLOURS, strict=True):
        assert np.abs(frame[..., :3] - np.asarray(Image.new("RGB", (1, 1), colour))).max() <= 8


def test_an_animation_is_scaled_to_the_limit() -> None:
    """The longest side of a stored animation is bounded like that of a photo."""
    rendered = render(make_gif(moving_dot()), max_side_pixels=48)
    assert (rendered.width, rendered.height, rendered.frames) == (48, 32, 5)
    assert {frame.shape for frame in read(rendered.body)[0]} == {(32, 48, 4)}


@pytest.mark.parametrize(
    "content",
    [make_gif(moving_dot(), durations=DURATIONS), make_animated_webp(moving_dot(), durations=DURATIONS)],
    ids=["gif", "webp"],
)
def test_where_avif_was_asked_for_an_animation_gets_webp_and_for_jpeg_a_still(content: bytes) -> None:
    """Modern browsers play it, old ones show its first frame."""
    moving, still = render(content, variants=AVIF_AND_JPEG).variants
    assert moving.spec.format is ImageFormat.WEBP
    assert (moving.width, moving.height, moving.frames) == (48, 32, 5)
    assert read(moving.body)[1] == DURATIONS
    assert still.spec.format in {ImageFormat.JPEG, ImageFormat.PNG}
    assert still.frames == 1
    first = np.asarray(moving_dot()[0].resize((48, 32), Image.Resampling.LANCZOS), dtype=float)
    assert np.abs(read(still.body)[0][0][..., :3] - first).mean() < 5


def test_a_crop_of_an_animation_moves_too() -> None:
    """A preset shows the same part of every frame."""
    spec = VariantSpec("box", ImageFormat.WEBP, 64, 64, Crop.CENTRE, quality=95)
    (variant,) = render(make_gif(moving_dot()), variants=(spec,)).variants
    frames, _, _ = read(variant.body)
    for frame, whole in zip(frames, moving_dot(), strict=True):
        assert np.abs(frame[..., :3] - np.asarray(whole.crop((16, 0, 80, 64)))).mean() < 4


def test_one_animation_serves_avif_and_webp() -> None:
    """It is written once, not twice under one name."""
    specs = VariantTable(widths=(48,), presets=(), formats=(ImageFormat.AVIF, ImageFormat.WEBP)).specs()
    variants = render(make_gif(moving_dot()), variants=specs).variants
    assert [variant.spec.format for variant in variants] == [ImageFormat.WEBP]


@pytest.mark.parametrize(
    "content",
    [make_gif(moving_dot()), make_webp(40, 30, frames=3)],
    ids=["gif", "webp"],
)
def test_by_setting_an_animation_becomes_a_still(content: bytes) -> None:
    """A service that wants no movement gets the first frame, in the formats of stills."""
    rendered = render(content, keeps_animation=False, variants=AVIF_AND_JPEG)
    assert rendered.frames == 1
    assert not rendered.facts.is_animated
    assert rendered.source.frames > 1
    assert len(read(rendered.body)[0]) == 1
    assert all(variant.frames == 1 for variant in rendered.variants)


def test_large_variants_of_a_long_animation_are_left_out() -> None:
    """What an upload may cost is bounded: the small ones move, the large ones are missing, stills come in all sizes."""
    frames = [Image.new("L", (640, 480), at) for at in range(85)]
    specs = VariantTable(widths=(320, 640), presets=(), qualities=((ImageFormat.JPEG, 80),)).specs()
    variants = render(make_gif(frames), variants=specs).variants
    assert [(each.width, each.spec.format, each.frames > 1) for each in variants if each.frames > 1] == [
        (320, ImageFormat.WEBP, True)
    ]
    assert sorted(each.width for each in variants if each.frames == 1) == [320, 640]


@pytest.mark.parametrize("quality", [1, 30, 75])
def test_a_stored_animation_is_never_longer_than_the_one_sent(quality: int) -> None:
    """However hard an animation was squeezed before, it is not enlarged, and uploading it again changes nothing."""
    content = make_animated_webp(
        [photo(*SIZE, seed=seed) for seed in range(4)], durations=[100] * 4, quality=quality, method=6
    )
    first = render(content)
    assert len(first.body) <= len(content)
    assert first.frames == 4
    assert render(first.body).body == first.body


def test_an_animation_that_cannot_be_shorter_becomes_smaller_or_a_still() -> None:
    """Two frames of a few bytes each, scaled, keep the promise of not growing."""
    content = make_gif([Image.new("1", (3000, 8), at) for at in range(2)])
    rendered = render(content)
    assert len(rendered.body) <= len(content)
    assert len(read(rendered.body)[0]) == rendered.frames


def test_wide_colours_of_an_animation_are_converted() -> None:
    """Every frame ends in sRGB, and its profile is not stored."""
    content = make_animated_webp(
        [Image.new("RGB", SIZE, (40, 200, 60)), Image.new("RGB", SIZE, (200, 40, 60))],
        durations=[100, 100],
        lossless=True,
        icc_profile=display_p3(),
    )
    frames, _, _ = read(render(content).body)
    assert b"ICCP" not in render(content).body
    assert frames[0][0, 0, 0] < 20
    assert frames[1][0, 0, 0] > 212


def cut_last_frame(content: bytes, share: float) -> bytes:
    """The GIF without the last part of its last frame's coded bytes, whole as a container."""
    *_, (start, end) = ((start, end) for kind, start, end in gif_blocks(content) if kind == 0x2C)
    table = 3 << (content[start + 9] & 7) + 1 if content[start + 9] & 0x80 else 0
    at = first = start + 10 + table + 1
    while content[at] and at < first + (end - first) * share:
        at += 1 + content[at]
    return content[:at] + b"\0" + content[end:]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("keeps_animation", [True, False])
def test_a_gif_with_missing_pixels_is_refused(share: float, count: int, keeps_animation: bool) -> None:
    """A frame of which only a part arrived is refused, even where the container was mended around it."""
    content = make_gif([photo(120, 90, seed=seed) for seed in range(count)])
    with pytest.raises(ImageTruncated):
        render(cut_last_frame(content, share), keeps_animation=keeps_animation)


def test_damage_in_any_frame_gives_a_whole_animation_or_an_error_of_ours() -> None:
    """Flipped bits are refused or leave an animation that opens; nothing else ever happens."""
    whole = make_gif([photo(80, 60, seed=seed) for seed in range(3)])
    for seed in range(40):
        dice = np.random.default_rng(seed)
        content = bytearray(whole)
        for at in dice.integers(13, len(whole), 3):
            content[at] ^= 1 << int(dice.integers(0, 8))
        try:
            rendered = render(bytes(content))
        except ImageError:
            continue
        assert len(read(rendered.body)[0]) == rendered.frames


def test_a_damaged_later_frame_is_noticed_also_where_nothing_new_is_made_of_it() -> None:
    """A long animation that is stored as it was sent has been decoded to its end."""
    content = bytearray(
        make_animated_webp([photo(*SIZE, seed=seed) for seed in range(3)], durations=[90] * 3, lossless=True)
    )
    last = content.rindex(b"VP8L")
    content[last + 40 : last + 600] = b"\xff" * 560
    structure = inspect_image(bytes(content), LIMITS)
    assert structure.frames == 3
    with pytest.raises(ImageError):
        write_animations(structure, [])
