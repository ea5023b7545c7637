"""GIF: every block is there, every frame lies on the canvas, and only the picture reaches a decoder."""

from __future__ import annotations

import pytest
import pyvips

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported, ImageTruncated
from tests.images.builders import GIF_CONTROL, GIF_LOOP, GIF_PIXEL, gif, pillow_file
from tests.images.containers import read
from tests.pictures import CANARY

SECRET = CANARY.encode()
FRAME = (0, 0, 12, 8)


def test_comments_texts_and_foreign_applications_are_dropped() -> None:
    """Only the timing of frames and how often they repeat stay beside the pixels."""
    size = bytes([len(SECRET)])
    dropped = [
        b"\x21\xfe" + size + SECRET + b"\0",
        b"\x21\xff\x0bXMP DataXMP" + size + SECRET + b"\0",
        b"\x21\xff\x0bICCRGBG1012" + size + SECRET + b"\0",
        b"\x21\x01\x0c" + bytes(12) + size + SECRET + b"\0",
        b"\x21\x99" + size + SECRET + b"\0",
    ]
    content = gif((12, 8), [FRAME, FRAME], before=b"".join(dropped) + GIF_CONTROL)
    assert read(content).decodable == gif((12, 8), [FRAME, FRAME])
    assert GIF_LOOP in read(content).decodable


def test_zeros_between_blocks_are_passed_over() -> None:
    """What some writers leave between frames costs nobody an animation."""
    padded = gif((12, 8), [FRAME, FRAME], before=b"\0\0" + GIF_CONTROL, tail=b"\0;")
    assert read(padded).decodable == gif((12, 8), [FRAME, FRAME])


@pytest.mark.parametrize(
    ("canvas", "first", "size"),
    [
        ((0, 0), FRAME, (12, 8)),
        ((0, 30), (3, 1, 12, 8), (15, 9)),
        ((4, 30), (3, 1, 12, 8), (15, 30)),
        ((100, 50), FRAME, (100, 50)),
        ((3000, 8), (0, 0, 3000, 8), (3000, 8)),
    ],
)
def test_a_canvas_reaches_to_the_edges_of_the_first_frame(
    canvas: tuple[int, int], first: tuple[int, int, int, int], size: tuple[int, int]
) -> None:
    """Writers that leave the canvas out are understood as browsers do, and limits see the true size."""
    structure = read(gif(canvas, [first]))
    assert (structure.width, structure.height) == size


SCREENS = [(640, 480), (640, 512), (800, 600), (1024, 768), (1280, 1024), (1600, 1200), (641, 480), (320, 200)]


@pytest.mark.parametrize("canvas", SCREENS)
def test_the_decoder_has_the_same_canvas(canvas: tuple[int, int]) -> None:
    """A decoder that takes the size of an old monitor for a mistake does not crop an animation to its first frame."""
    for frames in ([(2, 1, 12, 8), (0, 0, *canvas)], [(0, 0, *canvas), FRAME]):
        structure = read(gif(canvas, frames))
        decoded = pyvips.Image.gifload_buffer(structure.decodable)
        assert (decoded.width, decoded.height) == (structure.width, structure.height)
        assert structure.width - canvas[0] in {0, 1}
        assert read(structure.decodable) == structure


def test_a_large_canvas_that_no_decoder_believes_is_named() -> None:
    """What would come out cropped is refused instead."""
    with pytest.raises(ImageFormatUnsupported, match="first frame is smaller"):
        read(gif((2049, 8), [FRAME]))


@pytest.mark.parametrize("frame", [(5, 0, 8, 8), (0, 1, 12, 8), (0, 0, 0, 8), (0, 0, 12, 0), (0xFFFF, 0xFFFF, 1, 1)])
def test_a_later_frame_outside_of_the_canvas_is_corrupt(frame: tuple[int, int, int, int]) -> None:
    """No frame is larger than the animation that it belongs to."""
    with pytest.raises(ImageCorrupt):
        read(gif((12, 8), [FRAME, frame]))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (gif((12, 8), []), ImageCorrupt),
        (gif((12, 8), [(0xFFFF, 0, 12, 8)]), ImageCorrupt),
        (gif((12, 8), [FRAME], tail=b"x;"), ImageCorrupt),
        (gif((12, 8), [FRAME], tail=b""), ImageTruncated),
        (gif((12, 8), [FRAME], tail=b"\0\0\0"), ImageTruncated),
        (gif((12, 8), [FRAME], tail=b"!"), ImageTruncated),
        (gif((12, 8), [FRAME], tail=b","), ImageTruncated),
        (gif((12, 8), [FRAME], pixels=b"\x02\xff\0"), ImageTruncated),
        (b"GIF89a", ImageTruncated),
        (b"GIF89a\x01\0\x01\0\x87\0\0" + bytes(100), ImageTruncated),
    ],
)
def test_a_gif_without_frames_or_end_is_refused(content: bytes, error: type[Exception]) -> None:
    """A GIF ends with its trailer, and has a picture before it."""
    with pytest.raises(error):
        read(content)


@pytest.mark.parametrize("sizes", [[255] * 3, [1] * 9, [254, 255, 1, 128]])
def test_sub_blocks_of_every_length_are_followed(sizes: list[int]) -> None:
    """However the coded pixels are divided, the next block is found."""
    chain = b"".join(bytes([size]) + b";" * size for size in sizes) + b"\0"
    structure = read(gif((12, 8), [FRAME, FRAME], pixels=b"\x02" + chain))
    assert structure.frames == 2
    assert structure.decodable.count(chain) == 2


def test_palettes_of_frames_are_passed_over() -> None:
    """Each frame may bring colours of its own."""
    local = GIF_CONTROL + b"," + bytes(4) + b"\x0c\0\x08\0\x81" + b";" * 12 + GIF_PIXEL
    assert read(gif((12, 8), [FRAME], before=local + GIF_CONTROL)).frames == 2
    assert read(pillow_file("GIF", mode="P", frames=4)).frames == 4
