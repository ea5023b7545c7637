"""The boxes of HEIC files: what reaches past the end, lies or never ends is found before a decoder looks."""

from __future__ import annotations

import struct
import time

import pytest

from app.core.exceptions import ImageCorrupt, ImageTruncated
from app.images.formats import ImageFormat
from app.images.records import Structure
from app.images.structure import read_structure


def read(content: bytes) -> Structure:
    return read_structure(ImageFormat.HEIC, content)


def box(kind: bytes, payload: bytes = b"", *, size: int | None = None) -> bytes:
    return struct.pack(">I", len(payload) + 8 if size is None else size) + kind + payload


def heic(
    *, extent: tuple[int, int] = (0, 10), sizes: tuple[tuple[int, int], ...] = ((40, 30),), tail: bytes = b""
) -> bytes:
    """The boxes of a HEIC file with one item at `extent` (first byte, length); nothing in it can be decoded."""
    ispe = b"".join(box(b"ispe", bytes(4) + struct.pack(">II", *size)) for size in sizes)
    location = bytes(4) + b"\x44\x00" + struct.pack(">HHHHII", 1, 1, 0, 1, *extent)
    meta = box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", ispe)) + box(b"iloc", location))
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + meta + box(b"mdat", bytes(20)) + tail


@pytest.mark.parametrize(
    "content",
    [
        heic(tail=box(b"free", size=7)),
        heic(tail=box(b"free", size=1)),
        heic(tail=box(b"free", bytes(8), size=1)),
        heic(tail=box(b"free", struct.pack(">Q", 2**63), size=1)),
        heic(tail=box(b"free", size=0xFFFFFFFF)),
        heic(extent=(0, 100_000)),
        heic(extent=(100_000, 1)),
        heic(extent=(100_000, 0)),
    ],
)
def test_heic_boxes_and_extents_past_the_end_are_truncated(content: bytes) -> None:
    """A phone photo whose boxes or coded pixels lie behind the end of the file is cut short."""
    with pytest.raises(ImageTruncated):
        read(content)


@pytest.mark.parametrize(
    "tail", [box(b"free", bytes(30), size=0), box(b"free", struct.pack(">Q", 16), size=1), box(b"free")]
)
def test_heic_boxes_of_every_legal_size_are_read(tail: bytes) -> None:
    """Boxes to the end of the file, of 64-bit size and without content are all legal."""
    assert (read(heic(tail=tail)).width, read(heic(tail=tail)).height) == (40, 30)


def test_the_largest_announced_heic_size_counts() -> None:
    """A phone photo is made of tiles; the limits apply to the whole, not to a tile."""
    structure = read(heic(sizes=((8, 8), (4000, 3000), (160, 120))))
    assert (structure.width, structure.height) == (4000, 3000)


@pytest.mark.parametrize(
    "content",
    [
        heic(sizes=()),
        heic(sizes=((0, 10),)),
        box(b"ftyp", b"heic\0\0\0\0") + box(b"mdat", bytes(9)),
        box(b"ftyp", b"heic\0\0\0\0") + box(b"meta", bytes(4)),
        heic(tail=box(b"meta", bytes(4))),
    ],
)
def test_a_heic_without_a_picture_is_corrupt(content: bytes) -> None:
    """A container in which no picture is announced is no picture."""
    with pytest.raises(ImageCorrupt):
        read(content)


def test_a_heic_with_endless_empty_extents_ends() -> None:
    """Item locations of no bytes, claimed by the million, cost nothing."""
    items = struct.pack(">HHH", 1, 0, 0xFFFF) * 0xFFFF
    location = box(b"iloc", bytes(4) + b"\0\0" + struct.pack(">H", 0xFFFF) + items)
    ispe = box(b"iprp", box(b"ipco", box(b"ispe", bytes(4) + struct.pack(">II", 8, 8))))
    started = time.process_time()
    read(box(b"ftyp", b"heic\0\0\0\0") + box(b"meta", bytes(4) + ispe + location))
    assert time.process_time() - started < 2
