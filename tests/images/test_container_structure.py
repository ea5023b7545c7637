"""Containers are checked whole before any decoder sees them: cut, bloated or lying files end here."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.exceptions import ImageCorrupt, ImageError, ImageTruncated
from app.images.formats import ImageFormat
from app.images.records import Structure
from app.images.structure import read_structure
from tests.heic_pictures import make_heic
from tests.images.containers import read, webp
from tests.pictures import (
    CANARY,
    PNG_SIGNATURE,
    add_jpeg_segments,
    make_jpeg,
    make_png,
    make_webp,
    png_header,
    png_of,
    quadrants,
)

IDAT = (b"IDAT", zlib.compress(bytes(100)))
IEND = (b"IEND", b"")


WHOLE = {
    "jpeg": make_jpeg(24, 16, comment=b"hello"),
    "progressive jpeg": make_jpeg(24, 16, progressive=True),
    "png": make_png(24, 16, text="hello"),
    "interlaced png": make_png(24, 16, interlaced=True),
    "apng": make_png(12, 8, frames=2),
    "webp": make_webp(24, 16),
    "lossless webp": make_webp(24, 16, lossless=True, text="hello"),
    "animated webp": make_webp(12, 8, frames=2),
    "heic": make_heic(quadrants(64, 32), orientation=6),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_has_its_size_and_every_cut_of_it_is_refused(name: str) -> None:
    """A picture whose upload broke off is refused, wherever it broke off."""
    whole = WHOLE[name]
    assert read(whole).width in {12, 24, 64}
    image_format = read(whole).format
    for length in range(12, len(whole)):
        with pytest.raises((ImageTruncated, ImageCorrupt)):
            read_structure(image_format, whole[:length])


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "apng"])
def test_what_follows_the_picture_never_reaches_a_decoder(name: str) -> None:
    """A video or a second picture behind the first is cut off before anything looks at it."""
    structure = read(WHOLE[name] + CANARY.encode() * 10)
    assert CANARY.encode() not in structure.decodable
    assert structure == read(WHOLE[name])


def test_the_second_picture_of_an_mpo_is_cut_off() -> None:
    """Phones put several pictures into one JPEG; only the first one, which people see, is kept."""
    first = make_jpeg(24, 16)
    structure = read(make_jpeg(24, 16, second_picture=make_jpeg(48, 32, seed=1)))
    assert (structure.width, structure.height) == (24, 16)
    assert structure.decodable == first


def test_a_thumbnail_inside_exif_is_not_the_picture() -> None:
    """The small picture that cameras hide in EXIF does not end the file early nor give its size."""
    content = add_jpeg_segments(make_jpeg(24, 16), [(0xE1, b"Exif\0\0" + make_jpeg(8, 8))])
    assert read(content).width == 24
    assert read(content).decodable == content


@pytest.mark.parametrize(
    ("content", "is_costly"),
    [
        (make_jpeg(8, 8), False),
        (make_jpeg(8, 8, progressive=True), True),
        (make_png(8, 8), False),
        (make_png(8, 8, interlaced=True), True),
        (make_webp(8, 8), False),
        (make_webp(8, 8, lossless=True), True),
        (make_webp(8, 8, mode="RGBA", lossless=True), True),
        (WHOLE["heic"], True),
    ],
)
def test_codings_that_need_much_memory_are_marked(content: bytes, is_costly: bool) -> None:
    """Codings that take several times the memory per pixel are known before they are decoded."""
    assert read(content).is_costly is is_costly


@pytest.mark.parametrize(
    ("content", "frames"),
    [
        (make_png(8, 8), 1),
        (make_png(8, 8, frames=3), 3),
        (make_webp(8, 8), 1),
        (make_webp(8, 8, frames=4), 4),
        (make_webp(8, 8, frames=2, lossless=True), 2),
        (make_jpeg(8, 8), 1),
    ],
)
def test_frames_are_counted(content: bytes, frames: int) -> None:
    """An animation is known to be one, and how long it is."""
    assert read(content).frames == frames


def test_png_text_and_unknown_chunks_are_dropped_and_colour_is_kept() -> None:
    """Text never reaches the decoder; what says how colours look does."""
    dropped = [(kind, CANARY.encode()) for kind in (b"tEXt", b"zTXt", b"iTXt", b"tIME", b"sPLT", b"prVt", b"fcTL")]
    kept = [(b"gAMA", b"\0\0\xb1\x8f"), (b"eXIf", b"MM\0*\0\0\0\x08\0\0")]
    decodable = read(make_png(8, 8, chunks=[*dropped, *kept])).decodable
    assert decodable == make_png(8, 8, chunks=kept)


HEADER = (b"IHDR", png_header(8, 8))


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
    ],
)
def test_a_png_that_contradicts_itself_is_refused(chunks: list[tuple[bytes, bytes]]) -> None:
    """No second header can smuggle another size past the limits."""
    with pytest.raises(ImageCorrupt):
        read(png_of(chunks))


def _vp8x(width: int, height: int, *, flags: int = 0) -> tuple[bytes, bytes]:
    return b"VP8X", bytes([flags, 0, 0, 0]) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]


STILL = (b"VP8 ", make_webp(24, 16)[20:])


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [_vp8x(24, 16)],
        [(b"EXIF", b"x")],
        [_vp8x(4, 4), STILL],
        [_vp8x(24, 16), _vp8x(24, 16), STILL],
        [STILL, STILL],
        [(b"VP8 ", b"")],
        [(b"VP8 ", bytes(10))],
    ],
)
def test_a_webp_that_contradicts_itself_is_refused(chunks: list[tuple[bytes, bytes]]) -> None:
    """No second picture or canvas can smuggle another size past the limits."""
    with pytest.raises(ImageCorrupt):
        read(webp(*chunks))


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 1_000])
def test_a_webp_chunk_longer_than_the_file_is_truncated(size: int) -> None:
    """A chunk that claims four gigabytes is a cut file, not an endless one."""
    whole = make_webp(24, 16)
    with pytest.raises(ImageTruncated):
        read(whole[:16] + struct.pack("<I", size) + whole[20:])
    with pytest.raises(ImageTruncated):
        read(whole[:4] + struct.pack("<I", size) + whole[8:])


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 10_000])
def test_a_png_chunk_longer_than_the_file_is_truncated(length: int) -> None:
    """A chunk that claims four gigabytes is a cut file, not an endless one."""
    with pytest.raises(ImageTruncated):
        read(PNG_SIGNATURE + struct.pack(">I", length) + make_png(8, 8)[12:])


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x01\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x02garbage",
        b"\xff\xd8\xff\xd8" + make_jpeg(8, 8)[2:],
        make_jpeg(8, 8)[:2] + make_jpeg(8, 8)[2:-2] * 2 + b"\xff\xd9",
        make_jpeg(8, 8).replace(b"\xff\xc0\x00\x11\x08\x00\x08", b"\xff\xc0\x00\x11\x08\x00\x00"),
    ],
)
def test_a_jpeg_that_contradicts_itself_is_refused(content: bytes) -> None:
    """A JPEG without a picture, with two headers or none, with a height of zero, is not a picture."""
    with pytest.raises(ImageCorrupt):
        read(content)


STARTS: dict[ImageFormat, bytes] = {
    ImageFormat.JPEG: b"\xff\xd8\xff",
    ImageFormat.PNG: PNG_SIGNATURE,
    ImageFormat.WEBP: b"RIFF\x40\0\0\0WEBP",
    ImageFormat.HEIC: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
}


@given(st.sampled_from(list(STARTS)), st.binary(max_size=300))
def test_arbitrary_bytes_after_a_right_start_never_break_the_reader(image_format: ImageFormat, rest: bytes) -> None:
    """Garbage that begins like a picture is refused as a picture that is cut or damaged."""
    _assert_reads_or_refuses(partial(read_structure, image_format, STARTS[image_format] + rest))


@given(st.sampled_from(list(WHOLE)), st.data())
def test_mutated_pictures_never_break_the_reader(name: str, data: st.DataObject) -> None:
    """Damage anywhere gives a size that the limits can judge, or a refusal."""
    content = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(12, len(content) - 1))
        content[at : at + data.draw(st.integers(1, 4))] = data.draw(st.binary(max_size=4) | st.just(b"\xff" * 4))
    _assert_reads_or_refuses(partial(read_structure, read(WHOLE[name]).format, bytes(content)))


def _assert_reads_or_refuses(reading: Callable[[], Structure]) -> None:
    try:
        structure = reading()
    except ImageError:
        return
    assert structure.width > 0
    assert structure.height > 0
    assert structure.frames > 0
