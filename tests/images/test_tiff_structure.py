"""TIFF: every strip and tile is there, only the first page reaches a decoder, and odd codings are named."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported, ImageTruncated
from app.images.structure import tiff_directories
from tests.images.builders import TIFF_LONG, TIFF_SHORT, grey_tiff, pillow_file, tiff
from tests.images.containers import read
from tests.pictures import CANARY

PIXELS = bytes(96)
WHOLE = tiff(grey_tiff(12, 8), pixels=PIXELS)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    """Pictures of either kind of processor are pictures."""
    structure = read(tiff(grey_tiff(12, 8), order=order, pixels=PIXELS))
    assert (structure.width, structure.height, structure.frames) == (12, 8, 1)


@pytest.mark.parametrize(
    "fields",
    [
        grey_tiff(12, 8, t273=[0xFFFFFFFF]),
        grey_tiff(12, 8, t279=[95]),
        grey_tiff(12, 8, t278=[4], t273=[8, 56], t279=[48, 47]),
        grey_tiff(12, 9, t278=[4], t273=[8, 56, 104], t279=[48, 48, 11]),
        grey_tiff(12, 8, t279=[], t273=[500]),
        grey_tiff(12, 8, t322=[16], t323=[16], t324=[8], t325=[255], t273=[], t279=[]),
    ],
)
def test_a_strip_that_is_not_wholly_there_is_truncated(fields: list[tuple[int, int, Sequence[int]]]) -> None:
    """Every pixel lies inside of the file, or it is cut short."""
    with pytest.raises(ImageTruncated):
        read(tiff(fields, pixels=PIXELS))


@pytest.mark.parametrize(
    "fields",
    [
        grey_tiff(12, 8, t278=[4]),
        grey_tiff(12, 8, t278=[1]),
        grey_tiff(12, 8, t273=[]),
        grey_tiff(12, 8, t273=[0]),
        grey_tiff(12, 8, t278=[0]),
        grey_tiff(12, 8, t256=[]),
        grey_tiff(12, 8, t257=[]),
        grey_tiff(12, 0),
        grey_tiff(12, 8, t277=[3], t284=[2]),
        grey_tiff(12, 8, t277=[0]),
        grey_tiff(12, 8, t259=[5], t279=[]),
        grey_tiff(12, 8, t322=[16]),
        grey_tiff(12, 8, t322=[4], t323=[4], t324=[8], t325=[16]),
        grey_tiff(100_000, 300_000, t278=[1], t279=[1]),
    ],
)
def test_a_tiff_that_contradicts_itself_is_corrupt(fields: list[tuple[int, int, Sequence[int]]]) -> None:
    """There are as many strips as the size asks for, and a size."""
    with pytest.raises((ImageCorrupt, ImageTruncated)):
        read(tiff(fields, pixels=PIXELS))


def test_old_writers_may_leave_the_sizes_of_strips_out() -> None:
    """Pixels that are not compressed have the length that they must have."""
    assert read(tiff(grey_tiff(12, 8, t279=[]), pixels=PIXELS)).width == 12
    assert read(tiff(grey_tiff(12, 8, t278=[3], t273=[8, 44, 80], t279=[36, 36, 24]), pixels=PIXELS)).width == 12


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (grey_tiff(12, 8, t259=[6]), "old-style JPEG"),
        (grey_tiff(12, 8, t259=[34661]), "JBIG"),
        (grey_tiff(12, 8, t259=[34887]), "LERC"),
        (grey_tiff(12, 8, t259=[33005]), "JPEG 2000"),
        (grey_tiff(12, 8, t259=[50000]), "Zstandard"),
        (grey_tiff(12, 8, t259=[12345]), "compression 12345"),
        (grey_tiff(12, 8, t262=[8]), "colour space"),
        (grey_tiff(12, 8, t262=[32803]), "colour space"),
        (grey_tiff(12, 8, t258=[32]), "16 bits"),
        (grey_tiff(12, 8, t258=[12]), "16 bits"),
        (grey_tiff(12, 8, t258=[8, 8, 16], t277=[3]), "16 bits"),
        (grey_tiff(12, 8, t339=[3]), "floating-point"),
        (grey_tiff(12, 8, t339=[2]), "signed"),
        (grey_tiff(12, 8, t277=[6]), "5 samples"),
        (grey_tiff(12, 8, t258=[8] * 100), "5 samples"),
        (grey_tiff(12, 8, t50706=[1]), "raw"),
        (grey_tiff(12, 8, t254=[1], t330=[8]), "raw"),
    ],
)
def test_a_tiff_that_nothing_decodes_right_is_named(fields: list[tuple[int, int, Sequence[int]]], name: str) -> None:
    """Scientific, raw and old TIFFs are refused with what they are."""
    with pytest.raises(ImageFormatUnsupported, match=name):
        read(tiff(fields, pixels=PIXELS))


def test_only_fields_of_the_pixels_reach_a_decoder() -> None:
    """Texts, EXIF, GPS, XMP and further pictures are no longer pointed at, and the next page neither."""
    foreign = grey_tiff(12, 8, t270=[1] * 9, t700=[2] * 9, t330=[8], t34665=[8], t34853=[8], t33723=[3], t37724=[4])
    structure = read(tiff(foreign, pixels=PIXELS, next_page=8))
    pages = list(tiff_directories(structure.decodable))
    assert len(pages) == 1
    assert set(pages[0].entries) == {256, 257, 258, 259, 262, 273, 277, 278, 279}
    assert read(WHOLE).decodable == WHOLE


def test_the_orientation_and_a_plausible_profile_stay() -> None:
    """What says how a picture is turned and how its colours look reaches the decoder."""
    fields = grey_tiff(12, 8, t274=[6], t34675=[0] * 100)
    assert {274, 34675} <= set(next(tiff_directories(read(tiff(fields, pixels=PIXELS)).decodable)).entries)
    fields = grey_tiff(12, 8, t274=[6], t34675=[0] * 20)
    assert 34675 not in next(tiff_directories(read(tiff(fields, pixels=PIXELS)).decodable)).entries


def test_pages_behind_the_first_are_neither_read_nor_followed() -> None:
    """A chain of pages that bites its tail, or leads nowhere, is no matter of the first page."""
    start = 8 + len(PIXELS)
    for next_page in (start, 0xFFFFFFFF, 4):
        assert read(tiff(grey_tiff(12, 8), pixels=PIXELS, next_page=next_page)).decodable == WHOLE


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"II*\0\0\0\0\0", ImageCorrupt),
        (b"II*\0\xff\xff\xff\xff", ImageTruncated),
        (b"II*\0\x08\0\0\0\0\0" + bytes(8), ImageCorrupt),
        (b"II*\0\x08\0\0\0\xff\xff" + bytes(8), ImageCorrupt),
        (b"II*\0\x08\0\0\0\x0a\0" + bytes(8), ImageTruncated),
        (b"II*\0", ImageCorrupt),
    ],
)
def test_a_directory_that_is_none_is_refused(content: bytes, error: type[Exception]) -> None:
    """A first page that is not there, empty or absurd is no picture."""
    with pytest.raises(error):
        read(content)


def test_a_chain_that_bites_its_tail_ends() -> None:
    """Whoever follows all pages comes to an end."""
    loop = tiff(grey_tiff(12, 8), pixels=PIXELS, next_page=8 + len(PIXELS))
    with pytest.raises(ImageCorrupt):
        list(tiff_directories(loop))


def test_values_past_the_end_are_truncated() -> None:
    """A field that points behind the end of the file is a cut file."""
    at = 8 + len(PIXELS) + 2
    assert struct.unpack_from("<HHI", WHOLE, at) == (256, TIFF_LONG, 1)
    profile = struct.pack("<HHII", 34675, 7, 1_000, len(WHOLE))
    with pytest.raises(ImageTruncated):
        read(WHOLE[:at] + WHOLE[at : at + 9 * 12].replace(WHOLE[at + 72 : at + 84], profile) + WHOLE[at + 108 :])


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_texts_of_other_writers_are_cut_off(compression: str) -> None:
    """What Pillow writes beside the pixels does not reach a decoder."""
    content = pillow_file("TIFF", compression=compression, tiffinfo={270: CANARY})
    page = next(tiff_directories(read(content).decodable))
    assert 270 in next(tiff_directories(content)).entries
    assert 270 not in page.entries
    assert page.numbers(content, 258) == (8, 8, 8)
    assert page.entries[258].kind == TIFF_SHORT
