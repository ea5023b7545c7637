"""Small files that would cost much time or memory are refused, or lose what is costly, within moments."""

from __future__ import annotations

import contextlib
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.core.exceptions import ImageCorrupt, ImageError, ImageTooManyFrames
from app.images.containers.jpeg import MAX_JPEG_TABLES
from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.structure import MAX_JPEG_SCANS, MAX_PARTS, MAX_PROFILE_BYTES, jpeg_segments
from tests.heic_pictures import make_heic
from tests.images.builders import box, full_box, gif, grey_tiff, tiff, webp, webp_canvas, webp_chunk, webp_frame
from tests.images.containers import read
from tests.images.heif_builders import HEIC, Item, av1_item, grid_item, heic_properties, heif, obu
from tests.pictures import make_jpeg, make_png, make_webp, quadrants, text_bomb_png

JPEG, PNG = make_jpeg(8, 8), make_png(8, 8)
LOSSLESS = (b"VP8L", make_webp(8, 8, lossless=True)[20:])
# The bound is half a second on an idle machine.
MOST_SECONDS = 2
MEGABYTES_25 = 25_000_000


def test_scans_are_counted_and_too_many_refused() -> None:
    """A JPEG that asks for twenty thousand passes over its pixels is refused at once."""
    content = make_jpeg(16, 16, progressive=True)
    *_, (_, start, end), _ = (part for part in jpeg_segments(content) if part[0] in {0xDA, 0xD9})
    few = content[:end] + content[start:end] * 20 + content[end:]
    many = content[:end] + content[start:end] * 20_000 + content[end:]
    assert read(few).width == 16
    with pytest.raises(ImageCorrupt, match=str(MAX_JPEG_SCANS)):
        read(many)


def test_tables_are_counted_and_too_many_refused() -> None:
    """A JPEG that defines its tables anew without end is refused at once."""
    table = b"\xff\xdb\x00\x43\0" + bytes(range(1, 65))
    assert read(JPEG[:2] + table * (MAX_JPEG_TABLES - 100) + JPEG[2:]).width == 8
    with pytest.raises(ImageCorrupt, match=str(MAX_JPEG_TABLES)):
        read(JPEG[:2] + table * MAX_JPEG_TABLES + JPEG[2:])


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
    assert read(make_png(8, 8, chunks=[(b"iCCP", payload)])).decodable == PNG


def test_only_the_first_of_many_profiles_is_unpacked() -> None:
    """Thousands of packed profiles in one file cost no time and no memory."""
    profile = (b"iCCP", b"p\0\0" + zlib.compress(bytes(MAX_PROFILE_BYTES)))
    started = time.process_time()
    structure = read(make_png(8, 8, chunks=[profile] * 2_000))
    assert time.process_time() - started < MOST_SECONDS
    assert structure.decodable == make_png(8, 8, chunks=[profile])


def _many_parts(image_format: ImageFormat) -> bytes:
    count = MAX_PARTS + 10
    content = {
        ImageFormat.JPEG: JPEG[:2] + b"\xff\x01" * count + JPEG[2:],
        ImageFormat.PNG: PNG[:33] + (bytes(4) + b"prVt" + bytes(4)) * count + PNG[33:],
        ImageFormat.WEBP: webp(*[(b"prVt", b"")] * count, (b"VP8 ", make_webp(8, 8)[20:])),
        ImageFormat.HEIC: make_heic(quadrants(32, 32)) + struct.pack(">I4s", 8, b"free") * count,
        ImageFormat.AVIF: heif(av1_item(8, 8), extra=box(b"free") * count),
        ImageFormat.GIF: gif((8, 8), [(0, 0, 8, 8)], before=b"\x21\xfe\0" * count * 3),
        ImageFormat.TIFF: tiff(grey_tiff(8, 10_000_000, t278=[1])),
    }
    return content[image_format]


def test_parts_are_counted_wherever_they_stand() -> None:
    """Empty parts behind the pixels, divided among frames, or all of them real, are too many just the same."""
    kind, frame = webp_frame((8, 8))
    frame += webp_chunk(b"prVt", b"") * (MAX_PARTS // 3) + webp_chunk(*LOSSLESS)
    strips = grey_tiff(1, 400_000, t278=[1], t273=[8] * 400_000, t279=[1] * 400_000)
    for content in (
        JPEG[:-2] + b"\xff\x01" * MAX_PARTS + JPEG[-2:],
        webp(webp_canvas(8, 8, flags=2), *[(kind, frame)] * 4),
        tiff(strips, pixels=b"\0"),
    ):
        with pytest.raises(ImageCorrupt):
            read(content)


@pytest.mark.parametrize("image_format", ImageFormat)
def test_a_file_of_a_hundred_thousand_empty_parts_is_refused(image_format: ImageFormat) -> None:
    """Counting empty chunks never keeps the service busy for seconds."""
    content = _many_parts(image_format)
    started = time.process_time()
    with pytest.raises(ImageCorrupt):
        read(content)
    assert time.process_time() - started < MOST_SECONDS


def _deep_parts(name: str) -> bytes:
    kind, frame = webp_frame((8, 8))
    item = av1_item(8, 8)
    junk = {
        "chunks in a frame": webp_chunk(b"prVt", b""),
        "sub-blocks": b"\1a",
        "bitstream units": obu(15, b""),
        "units of a heic": bytes(4),
        "fields": b"\1\0\0\0",
        "stuffed zeros": b"\xff\0",
    }[name]
    many = junk * (MEGABYTES_25 // len(junk))
    files: dict[str, Callable[[], bytes]] = {
        "chunks in a frame": lambda: webp(webp_canvas(8, 8, flags=2), (kind, frame + many + webp_chunk(*LOSSLESS))),
        "sub-blocks": lambda: gif((8, 8), [(0, 0, 8, 8)], pixels=b"\x02" + many + b"\0"),
        "bitstream units": lambda: heif(replace(item, body=item.body + many)),
        "units of a heic": lambda: heif(Item(b"hvc1", many, heic_properties(64, 32)), brands=HEIC),
        "fields": lambda: tiff(grey_tiff(8, 250_000, t278=[1], t273=[8] * 250_000, t279=[8] * 250_000), pixels=many),
        "stuffed zeros": lambda: JPEG[:20] + many + JPEG[20:-2] + many + JPEG[-2:],
    }
    return files[name]()


@pytest.mark.parametrize(
    "name",
    [
        "chunks in a frame",
        "sub-blocks",
        "bitstream units",
        "units of a heic",
        "fields",
        "stuffed zeros",
    ],
)
def test_a_large_file_of_tiny_parts_takes_no_longer_than_moments(name: str) -> None:
    """Twenty-five megabytes of nothing but the smallest parts are read, or refused, within moments."""
    content = _deep_parts(name)
    started = time.process_time()
    with contextlib.suppress(ImageError):
        read(content)
    assert time.process_time() - started < MOST_SECONDS


def test_extents_of_items_are_counted() -> None:
    """Item locations of no bytes, claimed by the million, cost nothing."""
    entries = b"".join(struct.pack(">HHH", item, 0, 0xFFFF) for item in range(0xFFFF))
    location = full_box(b"iloc", b"\0\0" + struct.pack(">H", 0xFFFF) + entries)
    before, _, behind = heif(av1_item(8, 8), extra=location).rpartition(b"iloc")
    started = time.process_time()
    with pytest.raises(ImageCorrupt):
        read(before + b"gone" + behind)
    assert time.process_time() - started < MOST_SECONDS


def test_tiles_that_share_their_bytes_are_refused() -> None:
    """Thousands of tiles that all point at the same megabytes would have a decoder go over them thousands of times."""
    tile = av1_item(64, 64)
    padded = replace(tile, body=tile.body + obu(15, bytes(100)) * 10)
    content = heif(grid_item(1, 3, 192, 64, tiles=[2, 3, 4]), padded, tile, tile)
    assert read(content).width == 192
    at = content.index(b"iloc") + 12
    shared = content[at + 24 : at + 32]
    with pytest.raises(ImageCorrupt):
        read(content[: at + 40] + shared + content[at + 48 : at + 56] + shared + content[at + 64 :])


def test_an_animation_of_a_hundred_thousand_frames_is_refused() -> None:
    """However small each frame is, there are too many of them."""
    started = time.process_time()
    with pytest.raises(ImageTooManyFrames):
        inspect_image(gif((8, 8), [(0, 0, 8, 8)] * 100_000), PixelLimits())
    with pytest.raises(ImageTooManyFrames):
        read(gif((8, 8), [(0, 0, 8, 8)] * 100_001))
    frames = [webp_frame((8, 8), LOSSLESS)] * 5_000
    with pytest.raises(ImageTooManyFrames):
        inspect_image(webp(webp_canvas(8, 8, flags=2), *frames), PixelLimits())
    assert time.process_time() - started < MOST_SECONDS


def test_megabytes_of_fill_bytes_are_skipped_at_once() -> None:
    """Fill bytes before a marker are legal and cost nothing, however many."""
    started = time.process_time()
    assert read(JPEG[:2] + b"\xff" * 20_000_000 + JPEG[2:]).width == 8
    assert time.process_time() - started < MOST_SECONDS


def test_a_hundred_thousand_harmless_faults_cost_no_time() -> None:
    """Mending what is harmless takes one pass, however often it occurs."""
    jfif = b"\xff\xe0\x00\x10JFIF\0\7\1\0\0\1\0\1\0\0"
    started = time.process_time()
    assert read(JPEG[:2] + jfif * 90_000 + JPEG[2:]).width == 8
    assert time.process_time() - started < MOST_SECONDS
