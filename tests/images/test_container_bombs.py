"""Small files that would cost much time or memory are refused, or lose what is costly, within moments."""

from __future__ import annotations

import struct
import time
import zlib

import pytest

from app.core.exceptions import ImageCorrupt
from app.images.formats import ImageFormat
from app.images.structure import MAX_JPEG_SCANS, MAX_PARTS, MAX_PROFILE_BYTES, jpeg_segments
from tests.heic_pictures import make_heic
from tests.images.containers import read, webp
from tests.pictures import make_jpeg, make_png, make_webp, quadrants, text_bomb_png


def test_scans_are_counted_and_too_many_refused() -> None:
    """A JPEG that asks for twenty thousand passes over its pixels is refused at once."""
    content = make_jpeg(16, 16, progressive=True)
    *_, (_, start, end), _ = (part for part in jpeg_segments(content) if part[0] in {0xDA, 0xD9})
    few = content[:end] + content[start:end] * 20 + content[end:]
    many = content[:end] + content[start:end] * 20_000 + content[end:]
    assert read(few).width == 16
    with pytest.raises(ImageCorrupt, match=str(MAX_JPEG_SCANS)):
        read(many)


def test_a_text_bomb_is_defused_before_decoding() -> None:
    """A small PNG whose hundred comments unpack to 800 MB is left with its pixels only."""
    bomb = text_bomb_png()
    assert 500_000 < len(bomb) < 1_000_000
    assert len(read(bomb).decodable) < 1_000


@pytest.mark.parametrize(
    "payload", [b"p\0\0" + zlib.compress(bytes(MAX_PROFILE_BYTES + 1)), b"p\0\0garbage", b"p", b""]
)
def test_a_profile_that_explodes_or_is_none_is_dropped(payload: bytes) -> None:
    """A colour profile that unpacks to more than any real one, or not at all, is left out."""
    assert read(make_png(8, 8, chunks=[(b"iCCP", payload)])).decodable == make_png(8, 8)


def test_only_the_first_of_many_profiles_is_unpacked() -> None:
    """Thousands of packed profiles in one file cost no time and no memory."""
    profile = (b"iCCP", b"p\0\0" + zlib.compress(bytes(MAX_PROFILE_BYTES)))
    started = time.process_time()
    structure = read(make_png(8, 8, chunks=[profile] * 2_000))
    assert time.process_time() - started < 2
    assert structure.decodable == make_png(8, 8, chunks=[profile])


def test_huge_exif_in_a_png_is_dropped() -> None:
    """More EXIF than a camera can write is not worth a parser's risk."""
    assert read(make_png(8, 8, chunks=[(b"eXIf", bytes(300_000))])).decodable == make_png(8, 8)


def _many_parts(image_format: ImageFormat) -> bytes:
    count = MAX_PARTS + 10
    jpeg, png = make_jpeg(8, 8), make_png(8, 8)
    content = {
        ImageFormat.JPEG: jpeg[:2] + b"\xff\x01" * count + jpeg[2:],
        ImageFormat.PNG: png[:33] + bytes(4) + b"prVt" + bytes(4) + (bytes(4) + b"prVt" + bytes(4)) * count + png[33:],
        ImageFormat.WEBP: webp(*[(b"prVt", b"")] * count, (b"VP8 ", make_webp(8, 8)[20:])),
        ImageFormat.HEIC: make_heic(quadrants(32, 32)) + struct.pack(">I4s", 8, b"free") * count,
    }
    return content[image_format]


@pytest.mark.parametrize("image_format", ImageFormat)
def test_a_file_of_a_hundred_thousand_empty_parts_is_refused(image_format: ImageFormat) -> None:
    """Counting empty chunks never keeps the service busy for seconds."""
    started = time.process_time()
    with pytest.raises(ImageCorrupt):
        read(_many_parts(image_format))
    assert time.process_time() - started < 2


def test_megabytes_of_fill_bytes_are_skipped_at_once() -> None:
    """Fill bytes before a marker are legal and cost nothing, however many."""
    content = make_jpeg(8, 8)
    started = time.process_time()
    assert read(content[:2] + b"\xff" * 20_000_000 + content[2:]).width == 8
    assert time.process_time() - started < 2


def test_a_hundred_thousand_harmless_faults_cost_no_time() -> None:
    """Mending what is harmless takes one pass, however often it occurs."""
    jfif = b"\xff\xe0\x00\x10JFIF\0\7\1\0\0\1\0\1\0\0"
    content = make_jpeg(8, 8)
    started = time.process_time()
    assert read(content[:2] + jfif * 90_000 + content[2:]).width == 8
    assert time.process_time() - started < 2
