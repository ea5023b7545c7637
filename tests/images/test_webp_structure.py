"""WebP: only the picture reaches a decoder, and all of its sizes agree, those inside of frames too."""

from __future__ import annotations

import struct

import pytest

from app.core.exceptions import ImageCorrupt, ImageTruncated
from tests.images.builders import webp, webp_canvas, webp_frame
from tests.images.containers import read
from tests.pictures import CANARY, exif, make_webp

LOSSY, LOSSLESS = make_webp(24, 16), make_webp(24, 16, lossless=True)
STILL, STILL_LOSSLESS = (b"VP8 ", LOSSY[20:]), (b"VP8L", LOSSLESS[20:])
CANVAS = webp_canvas(24, 16, flags=2)
LOOP = (b"ANIM", bytes(6))
SECRET = CANARY.encode()


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [webp_canvas(24, 16)],
        [(b"EXIF", b"x")],
        [webp_canvas(4, 4), STILL],
        [webp_canvas(24, 16), webp_canvas(24, 16), STILL],
        [STILL, webp_canvas(24, 16)],
        [STILL, STILL],
        [(b"VP8X", b""), STILL],
        [(b"VP8 ", b"")],
        [(b"VP8 ", bytes(10))],
        [(b"VP8 ", bytes([STILL[1][0] | 1]) + STILL[1][1:])],
        [(b"VP8 ", bytes([STILL[1][0] & ~0x10]) + STILL[1][1:])],
        [(b"VP8L", b"\x2f\0\0\0")],
        [(b"VP8L", b"\x2e" + STILL_LOSSLESS[1][1:])],
        [CANVAS, LOOP, webp_frame((24, 16), STILL), STILL],
        [LOOP, webp_frame((24, 16), STILL)],
        [webp_canvas(24, 16), LOOP, webp_frame((24, 16), STILL)],
    ],
)
def test_a_webp_that_contradicts_itself_is_refused(chunks: list[tuple[bytes, bytes]]) -> None:
    """No second picture or canvas can smuggle another size past the limits."""
    with pytest.raises(ImageCorrupt):
        read(webp(*chunks))


@pytest.mark.parametrize(
    "frame",
    [
        webp_frame((26, 16), (b"VP8L", STILL_LOSSLESS[1])),
        webp_frame((12, 8), STILL),
        webp_frame((24, 16), STILL, at=(2, 0)),
        webp_frame((24, 16), STILL, at=(0, 0xFFFFFF)),
        webp_frame((24, 16), STILL, STILL),
        webp_frame((24, 16), STILL, STILL_LOSSLESS),
        webp_frame((24, 16), (b"ALPH", b"\0")),
        webp_frame((24, 16)),
        (b"ANMF", bytes(15)),
    ],
)
def test_a_frame_that_lies_about_its_size_is_corrupt(frame: tuple[bytes, bytes]) -> None:
    """No frame is larger than the canvas, nor its picture larger than the frame says."""
    assert read(webp(CANVAS, LOOP, webp_frame((24, 16), STILL))).frames == 1
    with pytest.raises(ImageCorrupt):
        read(webp(CANVAS, LOOP, webp_frame((24, 16), STILL), frame))


def test_a_frame_whose_chunks_reach_past_its_end_is_truncated() -> None:
    """What a frame says it holds lies inside of it."""
    kind, payload = webp_frame((24, 16), STILL)
    with pytest.raises(ImageTruncated):
        read(webp(CANVAS, LOOP, (kind, payload[:-2])))
    with pytest.raises(ImageTruncated):
        read(webp((b"VP8 ", STILL[1][:10] + STILL[1][10:12])))


def test_what_stands_between_the_pixels_of_frames_is_dropped() -> None:
    """Texts cannot hide inside of an animation's frames."""
    clean = webp(CANVAS, LOOP, webp_frame((24, 16), STILL), webp_frame((24, 16), STILL_LOSSLESS))
    loaded = webp(
        CANVAS,
        (b"prVt", SECRET),
        LOOP,
        webp_frame((24, 16), (b"prVt", SECRET), STILL, (b"XMP ", SECRET + b"!")),
        webp_frame((24, 16), STILL_LOSSLESS, (b"ICCP", SECRET)),
        (b"XMP ", SECRET),
    )
    assert read(loaded).decodable == clean
    assert read(clean).decodable == clean
    assert read(clean).is_costly


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_of_exif_only_the_orientation_reaches_a_decoder(prefix: bytes) -> None:
    """A parser of EXIF sees 26 bytes of ours, whatever was sent, and the header says that they are there."""
    content = webp(
        webp_canvas(24, 16, flags=0x2C), STILL, (b"EXIF", prefix + exif(orientation=6, text=CANARY)), (b"XMP ", SECRET)
    )
    block = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    assert read(content).decodable == webp(webp_canvas(24, 16, flags=8), STILL, (b"EXIF", block))
    upright = webp(webp_canvas(24, 16, flags=0x2C), STILL, (b"EXIF", prefix + exif(orientation=1)))
    assert read(upright).decodable == webp(webp_canvas(24, 16), STILL)


@pytest.mark.parametrize(("size", "is_kept"), [(127, False), (500, True), (4 * 1024 * 1024 + 1, False)])
def test_a_profile_of_an_absurd_size_is_dropped(size: int, is_kept: bool) -> None:
    """A colour profile shorter or longer than any real one is left out."""
    profile = (b"ICCP", bytes(size))
    clean = webp(webp_canvas(24, 16, flags=0x20), profile, STILL) if is_kept else webp(webp_canvas(24, 16), STILL)
    assert read(webp(webp_canvas(24, 16, flags=0x20), profile, STILL)).decodable == clean


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 1_000])
def test_a_webp_chunk_longer_than_the_file_is_truncated(size: int) -> None:
    """A chunk that claims four gigabytes is a cut file, not an endless one."""
    with pytest.raises(ImageTruncated):
        read(LOSSY[:16] + struct.pack("<I", size) + LOSSY[20:])
    with pytest.raises(ImageTruncated):
        read(LOSSY[:4] + struct.pack("<I", size) + LOSSY[8:])
