"""The privacy receipt names everything that a file holds beside its pixels, and never what it says."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from app.images.formats import ImageFormat, sniff_format
from app.images.privacy import PrivacyFact, PrivacyReceipt, read_receipt
from app.images.rights import Rights
from tests.images.containers import read
from tests.metadata_pictures import PLANTED
from tests.pictures import add_jpeg_segments, add_png_chunks, make_jpeg, make_png, make_webp
from tests.planted.canaries import MARK, canaries_in
from tests.planted.directories import ASCII, BYTE, LONG, RATIONAL, SHORT, UNDEFINED, Directory, tiff_of
from tests.planted.gifs import make_gif
from tests.planted.heif_boxes import coded_picture, heif_of
from tests.planted.tiffs import plain


def receipt_of(content: bytes, **options: Any) -> PrivacyReceipt:
    image_format = sniff_format(content)
    assert image_format is not None
    return read_receipt(image_format, content, **options)


def removed_from(content: bytes) -> set[str]:
    return set(receipt_of(content).removed)


def exif_jpeg(directory: Directory, *, order: str = ">") -> bytes:
    return add_jpeg_segments(make_jpeg(24, 16), [(0xE1, b"Exif\0\0" + tiff_of(directory, order=order))])


@pytest.mark.parametrize("name", PLANTED)
def test_everything_that_is_removed_is_named(name: str) -> None:
    """Whoever uploads a picture reads what it would have told of them: all of it, and nothing that was not there."""
    content = PLANTED[name].make()
    assert canaries_in(content), "nothing was planted"
    read(content)
    assert removed_from(content) == PLANTED[name].facts


@pytest.mark.parametrize("name", PLANTED)
def test_a_receipt_never_holds_a_value(name: str) -> None:
    """The receipt goes into answers and logs, so it is made of fixed words."""
    receipt = receipt_of(PLANTED[name].make())
    assert MARK.lower() not in repr(receipt).lower()
    assert set(receipt.removed) <= {fact.value for fact in PrivacyFact}
    assert list(receipt.removed) == sorted(set(receipt.removed))


@pytest.mark.parametrize(
    "content",
    [
        make_jpeg(24, 16),
        make_jpeg(24, 16, progressive=True),
        make_jpeg(24, 16, mode="CMYK"),
        make_png(24, 16),
        make_png(24, 16, mode="P"),
        make_webp(24, 16),
        make_webp(24, 16, mode="RGBA", lossless=True),
        make_webp(24, 16, frames=3),
        make_gif(),
        make_gif(frames=3),
        heif_of("heic", [coded_picture("heic")]),
        heif_of("avif", [coded_picture("avif")]),
        tiff_of(plain()),
        tiff_of(plain(), order="<"),
    ],
)
def test_a_picture_with_nothing_beside_its_pixels_has_an_empty_receipt(content: bytes) -> None:
    """Nothing is claimed to have been removed where nothing was."""
    assert receipt_of(content) == PrivacyReceipt()


def test_what_is_kept_is_not_removed() -> None:
    """A sender who keeps copyright and creator reads that they were kept, the rest as removed."""
    content = PLANTED["jpeg exif"].make()
    receipt = receipt_of(content, kept=Rights(copyright="© Zoë", creator="Zoë"))
    assert receipt.kept == ("copyright", "creator")
    assert set(receipt.removed) == PLANTED["jpeg exif"].facts - {"copyright", "creator"}
    assert receipt_of(content, kept=Rights(creator="Zoë")).kept == ("creator",)


def test_fields_that_nobody_filled_in_are_not_told() -> None:
    """Cameras write empty fields and a position without coordinates; that is no serial number and no position."""
    position = Directory([(0, BYTE, b"\2\3\0\0"), (2, RATIONAL, bytes(24)), (0x12, ASCII, b"   ")])
    inner = Directory(
        [(0xA431, ASCII, b"\0\0\0\0"), (0xA430, ASCII, b"      "), (0x9286, UNDEFINED, b"ASCII\0\0\0    ")]
    )
    blank = [(0x013B, ASCII, b"          "), (0x8298, ASCII, bytes(20)), (0x010E, ASCII, b"     ")]
    content = exif_jpeg(Directory([*blank, (0x8769, LONG, [inner]), (0x8825, LONG, [position])]))
    assert removed_from(content) == {"exif"}
    records = b"\x1c\x02\x50\x00\x04    "
    assert removed_from(make_jpeg(24, 16, iptc=records)) == {"iptc"}
    text = add_png_chunks(make_png(24, 16), [(b"tEXt", b"Author\0  ")])
    assert removed_from(text) == {"text"}


def note_of(header: bytes, directory: Directory, *, order: str) -> bytes:
    return header + tiff_of(directory, order=order)


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (note_of(b"Nikon\0\2\x11\0\0", Directory([(0x1D, ASCII, b"3001234")]), order=">"), {"serial_numbers"}),
        (note_of(b"Nikon\0\2\x11\0\0", Directory([(0x1D, ASCII, b"       ")]), order=">"), set()),
        (b"FUJIFILM\x0c\0\0\0\1\0" + struct.pack("<HHII", 0x10, 2, 8, 30) + bytes(4) + b"FF02B123", {"serial_numbers"}),
        (b"Panasonic\0\0\0\0\1" + struct.pack(">HHI4s", 0x25, 2, 4, b"X123") + bytes(4), {"serial_numbers"}),
        (b"\0\2" + struct.pack(">HHI4s", 0x09, 2, 4, b"Zoe\0") + struct.pack(">HHII", 0x0C, 4, 1, 123456), None),
        (b"Apple iOS\0\0\1MM\0\1" + struct.pack(">HHI4s", 0x25, 2, 4, b"X123") + bytes(4), set()),
        (b"\0\xff" + bytes(20), set()),
        (b"Nikon\0\2", set()),
        (b"FUJIFILM", set()),
    ],
)
def test_serial_numbers_in_the_notes_of_camera_makers_are_told(note: bytes, told: set[str] | None) -> None:
    """Makers hide serial numbers and owners in notes of their own; the receipt names those it can read."""
    content = exif_jpeg(Directory([(0x8769, LONG, [Directory([(0x927C, UNDEFINED, note)])])]))
    expected = {"serial_numbers", "owner_names"} if told is None else told
    assert removed_from(content) == {"exif", "maker_notes", *expected}


def test_the_frames_of_an_animation_that_stays_one_are_not_removed() -> None:
    """An animated WebP keeps its frames; of an animated PNG only the first one stays, and the receipt says so."""
    assert removed_from(make_webp(24, 16, frames=3)) == set()
    assert removed_from(make_png(24, 16, frames=3)) == {"second_pictures"}


def test_a_turned_picture_has_exif() -> None:
    """Even an orientation alone stood in a block of EXIF, which is gone."""
    content = exif_jpeg(Directory([(0x0112, SHORT, [6])]), order="<")
    assert removed_from(content) == {"exif"}
    assert ImageFormat.JPEG is read(content).format
