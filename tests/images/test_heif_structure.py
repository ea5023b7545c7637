"""HEIC and AVIF: what reaches past the end, lies about its size or never ends is found before a decoder looks."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported, ImageTruncated
from app.images.formats import ImageFormat
from app.images.structure import heif_boxes, read_structure
from tests.heic_pictures import make_heic
from tests.images.builders import box, full_box, ispe, pillow_file
from tests.images.containers import read
from tests.images.heif_builders import (
    ALPHA,
    AV1C,
    HEIC,
    Item,
    av1_item,
    av1_sequence,
    grid_item,
    heic_parameters,
    heic_properties,
    heif,
    obu,
)
from tests.pictures import CANARY, exif, quadrants

PICTURE = av1_item(40, 30)
AVIF = heif(PICTURE)
SECRET = CANARY.encode()


def size_of(content: bytes) -> tuple[int, int]:
    structure = read(content)
    return structure.width, structure.height


@pytest.mark.parametrize(
    "tail",
    [
        box(b"free", size=7),
        box(b"free", size=1),
        box(b"free", bytes(8), size=1),
        box(b"free", struct.pack(">Q", 2**63), size=1),
        box(b"free", size=0xFFFFFFFF),
    ],
)
def test_boxes_past_the_end_are_truncated(tail: bytes) -> None:
    """A phone photo whose boxes lie behind the end of the file is cut short."""
    with pytest.raises(ImageTruncated):
        read(AVIF + tail)


@pytest.mark.parametrize(
    "tail", [box(b"free", bytes(30), size=0), box(b"free", struct.pack(">Q", 16), size=1), box(b"free")]
)
def test_boxes_of_every_legal_size_are_read(tail: bytes) -> None:
    """Boxes to the end of the file, of 64-bit size and without content are all legal."""
    assert size_of(AVIF + tail) == (40, 30)


def moved(content: bytes, offset: int, length: int) -> bytes:
    """The file with its first item elsewhere."""
    at = content.index(b"iloc") + 20
    return content[:at] + struct.pack(">II", offset, length) + content[at + 8 :]


@pytest.mark.parametrize(("offset", "length"), [(0, 100_000), (100_000, 1), (100_000, 0), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_items_past_the_end_are_truncated(offset: int, length: int) -> None:
    """A phone photo whose coded pixels lie behind the end of the file is cut short, thumbnails and notes too."""
    with pytest.raises(ImageTruncated):
        read(moved(AVIF, offset, length))


def test_a_picture_smaller_than_its_bitstream_is_corrupt() -> None:
    """A container that announces a small picture cannot smuggle a huge one past the limits."""
    with pytest.raises(ImageCorrupt):
        read(heif(av1_item(40, 30, coded=(8000, 8000))))
    with pytest.raises(ImageCorrupt):
        read(heif(replace(PICTURE, body=PICTURE.body + av1_sequence(8000, 8000))))
    hidden = box(b"av1C", b"\x81\x00\x0c\x00" + av1_sequence(8000, 8000))
    with pytest.raises(ImageCorrupt):
        read(heif(replace(PICTURE, properties=(ispe(40, 30), hidden))))


def test_a_heic_smaller_than_its_bitstream_is_corrupt() -> None:
    """The same in phone photos: the parameters of the coded picture are read."""
    assert size_of(make_heic(quadrants(128, 64))) == (128, 64)
    with pytest.raises(ImageCorrupt):
        read(make_heic(quadrants(128, 64)).replace(struct.pack(">II", 128, 64), struct.pack(">II", 64, 32)))


def test_a_heic_whose_coded_bytes_bring_other_parameters_is_corrupt() -> None:
    """Parameters among the coded bytes count as those outside do."""
    small = Item(b"hvc1", heic_parameters(64, 32), heic_properties(64, 32))
    assert size_of(heif(small, brands=HEIC)) == (64, 32)
    with pytest.raises(ImageCorrupt):
        read(heif(replace(small, body=heic_parameters(192, 64)), brands=HEIC))
    with pytest.raises(ImageTruncated):
        read(heif(replace(small, body=small.body[:-1]), brands=HEIC))


@pytest.mark.parametrize("body", [b"", b"\x32\x00", obu(1, b""), b"\x0a\x7f", b"\x8a\x00", b"\x0a" + b"\xff" * 9])
def test_a_picture_without_a_sequence_header_is_refused(body: bytes) -> None:
    """Coded bytes that do not begin as AV1 must are no picture."""
    with pytest.raises((ImageCorrupt, ImageTruncated)):
        read(heif(replace(PICTURE, body=body)))


def tiles(count: int, width: int = 16, height: int = 16) -> list[Item]:
    return [av1_item(width, height)] * count


def test_a_picture_of_tiles_has_the_size_of_the_whole() -> None:
    """A phone photo is made of tiles; the limits apply to the whole, not to a tile."""
    assert size_of(heif(grid_item(2, 3, 40, 30, tiles=range(2, 8)), *tiles(6))) == (40, 30)


def test_bytes_inside_of_the_table_are_found_and_held_to_it() -> None:
    """The plan of a picture of tiles often lies in the table itself; what reaches past it is cut short."""
    plan = replace(grid_item(2, 3, 40, 30, tiles=range(2, 8)), is_inline=True)
    content = heif(plan, *tiles(6))
    assert size_of(content) == (40, 30)
    assert read(content) == read(heif(replace(plan, is_inline=False), *tiles(6)))
    with pytest.raises(ImageTruncated):
        read(moved(content, 0, 13))
    with pytest.raises(ImageTruncated):
        read(moved(content, 13, 0))


@pytest.mark.parametrize(
    "items",
    [
        [grid_item(2, 3, 40, 30, tiles=range(2, 7)), *tiles(5)],
        [grid_item(1, 3, 40, 30, tiles=range(2, 5)), *tiles(3)],
        [grid_item(2, 4, 40, 30, tiles=range(2, 10)), *tiles(8)],
        [grid_item(1, 1, 40, 30, tiles=[2]), av1_item(4000, 3000)],
        [grid_item(2, 3, 40, 30, tiles=range(2, 8)), *tiles(5), av1_item(16, 17)],
        [replace(grid_item(2, 3, 40, 30, tiles=range(2, 8)), properties=(ispe(41, 30),)), *tiles(6)],
        [replace(grid_item(2, 3, 40, 30, tiles=range(2, 8)), body=b"\0\0\1"), *tiles(6)],
        [grid_item(2, 3, 40, 30, tiles=range(2, 8)), *tiles(5), av1_item(16, 16, coded=(9000, 9000))],
    ],
)
def test_tiles_that_do_not_make_up_the_picture_are_corrupt(items: list[Item]) -> None:
    """There are as many tiles as the picture needs, of one size, and none is mostly out of sight."""
    with pytest.raises(ImageCorrupt):
        read(heif(*items))


def test_the_alpha_plane_counts_and_is_kept() -> None:
    """What is see-through stays so, and its plane is held to the size of the picture."""
    plane = av1_item(40, 30, properties=[ALPHA])
    content = heif(PICTURE, replace(plane, references=((b"auxl", [1]),)))
    assert ALPHA in read(content).decodable
    huge = replace(av1_item(41, 30, properties=[ALPHA]), references=((b"auxl", [1]),))
    with pytest.raises(ImageCorrupt):
        read(heif(PICTURE, huge))


def test_everything_but_the_picture_is_cut_off() -> None:
    """Thumbnails, EXIF, XMP, depth maps, names and unknown boxes never reach a decoder."""
    thumbnail = replace(av1_item(16_000, 16_000), references=((b"thmb", [1]),))
    notes = Item(b"Exif", bytes(4) + exif(text=CANARY), (), ((b"cdsc", [1]),))
    xmp = Item(b"mime", SECRET, (), ((b"cdsc", [1]),))
    loaded = heif(
        replace(PICTURE, properties=(*PICTURE.properties, box(b"uuid", SECRET))),
        thumbnail,
        notes,
        xmp,
        extra=box(b"free", SECRET),
        tail=box(b"mpvd", SECRET),
    )
    assert SECRET in loaded
    assert read(loaded) == read(AVIF)
    assert SECRET not in read(loaded).decodable


def without(content: bytes, kind: bytes) -> bytes:
    """The file with a box that nobody knows in place of one that must be there."""
    return content.replace(kind, b"gone", 1)


@pytest.mark.parametrize(
    "kind", [b"meta", b"hdlr", b"pitm", b"iinf", b"iloc", b"iprp", b"ipco", b"ispe", b"av1C", b"pict"]
)
def test_a_file_without_one_of_its_tables_is_corrupt(kind: bytes) -> None:
    """A container in which no picture is announced or located is no picture."""
    with pytest.raises(ImageCorrupt):
        read(without(AVIF, kind))


@pytest.mark.parametrize(
    "content",
    [
        AVIF + box(b"meta", bytes(4)),
        heif(PICTURE, extra=full_box(b"pitm", b"\0\2")),
        heif(PICTURE, extra=full_box(b"iloc", bytes(4))),
        heif(PICTURE, PICTURE).replace(b"\0\2\0\0\0\0\0\1", b"\0\1\0\0\0\0\0\1"),
        heif(replace(PICTURE, properties=(ispe(0, 30), AV1C))),
        heif(replace(PICTURE, properties=(full_box(b"ispe", bytes(4)), AV1C))),
        heif(PICTURE).replace(b"ipma" + bytes(4), b"ipma\0\0\0\1"),
        heif(grid_item(1, 1, 8, 8, tiles=[1])),
    ],
)
def test_a_file_whose_tables_contradict_one_another_is_refused(content: bytes) -> None:
    """Of two tables of a kind nobody guesses which one a decoder would take."""
    with pytest.raises((ImageCorrupt, ImageTruncated, ImageFormatUnsupported)):
        read(content)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(b"avc1", "H.264"), (b"jpeg", "JPEG"), (b"j2k1", "JPEG 2000"), (b"hvc1", "HEVC"), (b"iovl", "overlay")],
)
def test_another_coding_inside_of_the_container_is_named(kind: bytes, name: str) -> None:
    """A file that says AVIF outside and is something else inside is refused with what it is."""
    with pytest.raises(ImageFormatUnsupported, match=name):
        read(heif(replace(PICTURE, kind=kind)))


def test_a_sequence_without_a_still_picture_is_named() -> None:
    """A film is no picture."""
    film = box(b"ftyp", b"avis\0\0\0\0avismsf1") + box(b"moov", box(b"trak")) + box(b"mdat", bytes(9))
    with pytest.raises(ImageFormatUnsupported, match="sequence"):
        read(film)


def test_of_a_sequence_the_still_picture_reaches_the_decoder() -> None:
    """Of an animated AVIF its still picture is decoded, nothing else."""
    content = pillow_file("AVIF", frames=4)
    structure = read(content)
    assert structure.frames == 4
    assert [kind for kind, _, _ in heif_boxes(structure.decodable, 0, len(structure.decodable))] == [
        b"ftyp",
        b"meta",
        b"mdat",
    ]
    assert read_structure(ImageFormat.AVIF, structure.decodable).frames == 1
