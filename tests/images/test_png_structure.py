"""PNG: only the picture reaches a decoder, and its header says one thing."""

from __future__ import annotations

import struct
import zlib

import pytest

from app.core.exceptions import ImageCorrupt, ImageTruncated
from tests.images.containers import read
from tests.pictures import CANARY, PNG_SIGNATURE, exif, make_png, png_chunk, png_header, png_of

HEADER = (b"IHDR", png_header(8, 8))
IDAT = (b"IDAT", zlib.compress(bytes(100)))
IEND = (b"IEND", b"")


def test_png_text_and_unknown_chunks_are_dropped_and_colour_is_kept() -> None:
    """Text never reaches the decoder; what says how colours look does."""
    dropped = [(kind, CANARY.encode()) for kind in (b"tEXt", b"zTXt", b"iTXt", b"tIME", b"sPLT", b"prVt", b"fcTL")]
    kept = [(b"gAMA", b"\0\0\xb1\x8f"), (b"cHRM", bytes(32)), (b"sBIT", b"\5\6\5"), (b"sRGB", b"\0")]
    decodable = read(make_png(8, 8, chunks=[*dropped, *kept])).decodable
    assert decodable == make_png(8, 8, chunks=kept)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_of_exif_only_the_orientation_reaches_a_decoder(orientation: int) -> None:
    """A parser of EXIF sees 26 bytes of ours, whatever was sent."""
    content = make_png(8, 8, orientation=orientation, gps=True, text=CANARY)
    assert CANARY.encode() in content
    directory = struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    expected = [] if orientation == 1 else [(b"eXIf", b"MM\0*\0\0\0\x08" + directory)]
    assert read(content).decodable == make_png(8, 8, chunks=expected)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"MM\0*",
        exif(orientation=6)[:20],
        b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x09\0\0\0",
        b"II*\0\x08\0\0\0\1\0\x12\1\3\0\2\0\0\0\3\0\3\0",
        b"II*\0\xff\xff\xff\xff",
        b"\0" * 40,
    ],
)
def test_an_orientation_that_cannot_be_understood_is_none(block: bytes) -> None:
    """Damaged EXIF is no damage to the picture."""
    assert read(make_png(8, 8, chunks=[(b"eXIf", block)])).decodable == make_png(8, 8)


@pytest.mark.parametrize(
    "chunks",
    [
        [IEND],
        [IDAT, IEND],
        [HEADER, IEND],
        [IDAT, HEADER, IEND],
        [(b"gAMA", b"\0\0\xb1\x8f"), HEADER, IDAT, IEND],
        [HEADER, (b"IHDR", png_header(30_000, 30_000)), IDAT, IEND],
        [(b"IHDR", png_header(30_000, 30_000)), IDAT, HEADER, IEND],
        [(b"IHDR", png_header(0, 8)), IDAT, IEND],
        [(b"IHDR", png_header(8, 0)), IDAT, IEND],
        [(b"IHDR", png_header(8, 8)[:12]), IDAT, IEND],
        [(b"IHDR", png_header(8, 8) + b"\0"), IDAT, IEND],
        [(b"IHDR", png_header(8, 8, bit_depth=3)), IDAT, IEND],
        [(b"IHDR", png_header(8, 8, colour_type=5)), IDAT, IEND],
        [(b"IHDR", png_header(8, 8, interlace=2)), IDAT, IEND],
        [(b"IHDR", png_header(8, 8, colour_type=3)), IDAT, IEND],
    ],
)
def test_a_png_that_contradicts_itself_is_refused(chunks: list[tuple[bytes, bytes]]) -> None:
    """No second header can smuggle another size past the limits."""
    with pytest.raises(ImageCorrupt):
        read(png_of(chunks))


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 10_000])
def test_a_png_chunk_longer_than_the_file_is_truncated(length: int) -> None:
    """A chunk that claims four gigabytes is a cut file, not an endless one."""
    with pytest.raises(ImageTruncated):
        read(PNG_SIGNATURE + struct.pack(">I", length) + make_png(8, 8)[12:])


def apng(frames: list[tuple[int, int, int, int]], *, announced: int, behind_pixels: bool = False) -> bytes:
    """An APNG of 8 by 8 pixels with frames at (width, height, left, top)."""
    animation = [(b"acTL", struct.pack(">II", announced, 0))]
    controls = [(b"fcTL", struct.pack(">IIIIIHHBB", at, *frame, 1, 10, 0, 0)) for at, frame in enumerate(frames)]
    order = [HEADER, IDAT, *animation, *controls] if behind_pixels else [HEADER, *animation, *controls, IDAT]
    return png_of([*order, IEND])


def test_an_apng_without_all_of_its_frames_is_truncated() -> None:
    """An animation that announces more frames than there are is cut short."""
    assert read(apng([(8, 8, 0, 0)] * 3, announced=3)).frames == 3
    with pytest.raises(ImageTruncated):
        read(apng([(8, 8, 0, 0)] * 2, announced=3))


@pytest.mark.parametrize("frame", [(9, 8, 0, 0), (8, 8, 0, 1), (0, 8, 0, 0), (1, 1, 0xFFFFFFFF, 0)])
def test_a_frame_of_an_apng_outside_of_the_picture_is_corrupt(frame: tuple[int, int, int, int]) -> None:
    """A frame cannot be larger than the picture says it is."""
    with pytest.raises(ImageCorrupt):
        read(apng([(8, 8, 0, 0), frame], announced=2))


def test_an_animation_announced_behind_the_pixels_is_none() -> None:
    """What every browser shows as a still picture counts as one."""
    assert read(apng([], announced=9, behind_pixels=True)).frames == 1


def test_the_animation_of_an_apng_never_reaches_a_decoder() -> None:
    """Of an APNG the first picture is decoded, nothing else."""
    decodable = read(make_png(12, 8, frames=3)).decodable
    assert not any(kind in decodable for kind in (b"acTL", b"fcTL", b"fdAT"))
    assert png_chunk(*IEND) in decodable
