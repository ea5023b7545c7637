"""Reading metadata ends quickly and without an error, whatever the file."""

from __future__ import annotations

import random
import struct
import time
import zlib
from collections.abc import Callable

import pytest

from app.images.formats import ImageFormat, sniff_format
from app.images.privacy import read_receipt
from app.images.rights import find_rights
from app.images.structure import read_structure
from tests.metadata_pictures import PLANTED
from tests.pictures import add_jpeg_segments, make_jpeg, make_png, make_webp
from tests.planted.blocks import exif_block, xmp_packet
from tests.planted.directories import tiff_of
from tests.planted.heif_boxes import HeifItem, coded_picture, heif_of
from tests.planted.tiffs import plain

MUTATIONS = 25


def seconds_of(call: Callable[[], object]) -> float:
    """The CPU time of the quickest of three calls."""
    durations = []
    for _ in range(3):
        started = time.process_time()
        call()
        durations.append(time.process_time() - started)
    return min(durations)


@pytest.mark.parametrize("name", PLANTED)
def test_no_damage_makes_reading_fail(name: str) -> None:
    """A file with broken metadata is a picture like any other: its receipt names what could be read."""
    content = PLANTED[name].make()
    image_format = sniff_format(content)
    assert image_format is not None
    chance = random.Random(name)
    # Metadata stand in front of the pixels or behind them, seldom in the middle.
    places = [*range(12, min(len(content), 9000)), *range(max(12, len(content) - 3000), len(content))]
    for _ in range(MUTATIONS):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.choice(places)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        if chance.random() < 0.3:
            del damaged[chance.choice(places) :]
        read_receipt(image_format, bytes(damaged))
        find_rights(image_format, bytes(damaged))


@pytest.mark.parametrize("image_format", ImageFormat)
def test_bytes_of_another_format_have_an_empty_receipt_or_some_facts(image_format: ImageFormat) -> None:
    """What is no picture at all does no harm either."""
    for content in (b"", b"\0", bytes(64), b"\xff" * 64, b"II*\0\x08\0\0\0\xff\xff", make_png(8, 8), make_jpeg(8, 8)):
        read_receipt(image_format, content)


def directories_that_point_at_themselves() -> bytes:
    """An EXIF pointer to the directory it stands in, and a next directory that is the first."""
    block = b"MM\0*" + struct.pack(">IHHHIIHHIII", 8, 2, 0x8769, 4, 1, 8, 0x8825, 4, 1, 8, 8)
    return add_jpeg_segments(make_jpeg(16, 16), [(0xE1, b"Exif\0\0" + block)])


def huge_counts() -> bytes:
    """Values of four gigabytes, a directory of 65,535 entries, offsets behind the end."""
    entries = b"".join(struct.pack(">HHII", tag, 5, 0xFFFFFFFF, 0xFFFFFFF0) for tag in (0x8769, 0x8825, 0x927C, 0x8298))
    block = b"MM\0*" + struct.pack(">IH", 8, 4) + entries + bytes(4)
    crowded = b"MM\0*" + struct.pack(">IH", 8, 0xFFFF) + bytes(100)
    return add_jpeg_segments(make_jpeg(16, 16), [(0xE1, b"Exif\0\0" + each) for each in (block, crowded)])


def pointers_to_one_directory() -> bytes:
    """A thousand pointers to EXIF and as many to positions, all to one directory of a thousand tags."""
    count = 1000
    directory = struct.pack(">H", count) + struct.pack(">HHI4s", 0x8298, 2, 4, b"me\0\0") * count + bytes(4)
    pointers_at = 8 + 2 + 2 * 12 + 4
    entries = [(0x8769, 4, count, pointers_at), (0x8825, 4, count, pointers_at)]
    block = b"MM\0*" + struct.pack(">IH", 8, 2) + b"".join(struct.pack(">HHII", *entry) for entry in entries)
    block += bytes(4) + struct.pack(">I", pointers_at + 4 * count) * count + directory
    return add_jpeg_segments(make_jpeg(16, 16), [(0xE1, b"Exif\0\0" + block)] * 16)


def exploding_texts() -> bytes:
    """A hundred texts that unpack to 60 MB each."""
    packed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(60_000_000), 9)
    return make_png(16, 16, chunks=[(b"iTXt", packed)] * 100)


def thousands_of_blocks() -> bytes:
    """As much EXIF and XMP as fits into 20 MB."""
    block, packet = exif_block("full"), xmp_packet("full")
    segments = [(0xE1, b"Exif\0\0" + block), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)] * 1500
    return add_jpeg_segments(make_jpeg(16, 16), segments)


def crafted_packet() -> bytes:
    """Markup that begins everywhere and ends nowhere."""
    packets = [b"<dc:creator " * 5000, b"<rdf:li>" * 7000, b"< a:b" * 12000, b"<dc:rights>" + b"<x " * 20000]
    return add_jpeg_segments(make_jpeg(16, 16), [(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + each) for each in packets])


def endless_packet() -> bytes:
    """Twenty megabytes of property names."""
    return make_webp(16, 16, xmp=b" a:b" * 5_000_000)


def items_that_share_bytes() -> bytes:
    """Ten thousand items of EXIF and of XMP, each of them the same two megabytes."""
    kinds = [{"kind": b"Exif"}, {"kind": b"mime", "content_type": b"application/rdf+xml"}]
    shared = [HeifItem(payload=b"", shares=2, **kinds[at % 2]) for at in range(10_000)]  # type: ignore[arg-type]
    return heif_of("avif", [coded_picture("avif"), HeifItem(b"Exif", bytes(2_000_000)), *shared])


def thousands_of_pages() -> bytes:
    """A chain of a thousand pages, each with as many tags as it may have."""
    count, start = 999, 8
    block = b"MM\0*" + struct.pack(">I", start)
    for page in range(900):
        following = start + (page + 1) * (2 + 12 * count + 4)
        block += struct.pack(">H", count) + struct.pack(">HHI4s", 0x8298, 2, 4, b"me\0\0") * count
        block += struct.pack(">I", following)
    return block


@pytest.mark.parametrize(
    "make",
    [
        directories_that_point_at_themselves,
        huge_counts,
        pointers_to_one_directory,
        exploding_texts,
        thousands_of_blocks,
        crafted_packet,
        endless_packet,
        items_that_share_bytes,
        thousands_of_pages,
    ],
)
def test_metadata_made_to_keep_us_busy_do_not(make: Callable[[], bytes]) -> None:
    """Reading metadata takes a fraction of a second, however hostile they are."""
    content = make()
    image_format = sniff_format(content)
    assert image_format is not None
    assert seconds_of(lambda: read_receipt(image_format, content)) < 0.5


def test_an_ordinary_file_is_read_in_no_time() -> None:
    """The receipt of an ordinary picture costs nothing that anyone would notice."""
    content = add_jpeg_segments(make_jpeg(1600, 1200), [(0xE1, b"Exif\0\0" + exif_block("ordinary"))])
    assert seconds_of(lambda: read_receipt(ImageFormat.JPEG, content)) < 0.005


def test_a_broken_chain_of_pages_still_has_the_facts_of_the_first() -> None:
    """Only what is broken is missing in the receipt."""
    content = tiff_of(plain((0x013B, 2, b"Zoe Example")))
    directory = int.from_bytes(content[4:8], "big")
    count = int.from_bytes(content[directory : directory + 2], "big")
    link = directory + 2 + 12 * count
    broken = content[:link] + struct.pack(">I", 0xFFFFFF00) + content[link + 4 :]
    read_structure(ImageFormat.TIFF, broken)
    assert "creator" in read_receipt(ImageFormat.TIFF, broken).removed
