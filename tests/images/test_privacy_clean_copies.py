"""A clean copy keeps the coded pixels, and nothing that hides among them where no decoder looks."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from app.images.cleanup import clean_copy, has_clean_copy, is_clean
from app.images.formats import ImageFormat
from tests.images.containers import read
from tests.metadata_pictures import PLANTED
from tests.pictures import add_jpeg_segments, make_jpeg, photo, png_header, png_of
from tests.planted.canaries import canaries_in

# Its palette is cleaned where the pixels are known (app.services.decoder.palettes).
COPIED = [name for name in PLANTED if has_clean_copy(read(PLANTED[name].make())) and name != "png unused colours"]


def pixels(content: bytes) -> np.ndarray[Any, np.dtype[Any]]:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA"))


@pytest.mark.parametrize("name", COPIED)
def test_no_canary_is_in_a_clean_copy(name: str) -> None:
    """Tables that no scan uses, suggested colours, rows that are not shown: what no one sees is not kept."""
    structure = read(PLANTED[name].make())
    copy = clean_copy(structure.format, structure.decodable)
    assert canaries_in(copy) == set()
    assert clean_copy(structure.format, read(copy).decodable) == copy
    assert is_clean(structure.format, copy)
    if "cmyk" not in name:
        np.testing.assert_array_equal(pixels(copy), pixels(structure.decodable))


def test_each_stored_format_is_among_those_copied() -> None:
    """The rule is tried on JPEG, PNG, WebP and AVIF."""
    formats = {read(PLANTED[name].make()).format for name in COPIED}
    assert formats == {ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.AVIF}


def vips_of(mode: str = "RGB") -> Any:
    return pyvips.Image.new_from_array(np.asarray(photo(70, 50, mode=mode)))


OURS = {
    "jpeg": vips_of().jpegsave_buffer(keep="none"),
    "jpeg of one tone": vips_of("L").jpegsave_buffer(keep="none"),
    "jpeg in full colour": vips_of().jpegsave_buffer(keep="none", subsample_mode="off", Q=95),
    "optimised jpeg": vips_of().jpegsave_buffer(keep="none", optimize_coding=True),
    "progressive jpeg": vips_of().jpegsave_buffer(keep="none", interlace=True, optimize_scans=True),
    "trellis jpeg": vips_of().jpegsave_buffer(keep="none", trellis_quant=True, overshoot_deringing=True, quant_table=3),
    "jpeg by pillow": make_jpeg(70, 50),
    "progressive jpeg by pillow": make_jpeg(70, 50, progressive=True),
    "cmyk jpeg": make_jpeg(70, 50, mode="CMYK"),
}


@pytest.mark.parametrize("name", OURS)
def test_all_tables_of_an_ordinary_jpeg_are_used(name: str) -> None:
    """What our encoders write loses nothing but what they say of themselves."""
    content = bytes(OURS[name])
    copy = clean_copy(ImageFormat.JPEG, content)
    scans = content[content.index(b"\xff\xda") :]
    assert copy.endswith(scans)
    assert copy.count(b"\xff\xdb") == content.count(b"\xff\xdb")
    assert copy.count(b"\xff\xc4") == content.count(b"\xff\xc4")


def test_of_a_segment_with_several_tables_the_used_ones_stay() -> None:
    """A table nobody needs goes even from the middle of those that are needed."""
    content = make_jpeg(40, 30, mode="L")
    at = content.index(b"\xff\xdb")
    size = int.from_bytes(content[at + 2 : at + 4], "big")
    table = content[at + 4 : at + 2 + size]
    unused = b"\x02" + b"HcCanary" * 8
    together = b"\xff\xdb" + struct.pack(">H", 2 + 2 * len(unused) + len(table)) + unused + table + b"\x03" + unused[1:]
    crowded = content[:at] + together + content[at + 2 + size :]
    assert clean_copy(ImageFormat.JPEG, crowded) == clean_copy(ImageFormat.JPEG, content)


def test_a_table_that_is_defined_again_before_it_is_used_goes() -> None:
    """The last definition counts, as it does for decoders."""
    content = make_jpeg(40, 30)
    again = add_jpeg_segments(content, [(0xDB, b"\0" + b"HcCanary" * 8)])
    assert clean_copy(ImageFormat.JPEG, again) == clean_copy(ImageFormat.JPEG, content)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (5, 2), (8, 8), (13, 9)])
def test_a_row_more_than_shown_goes_from_every_kind_of_png(size: tuple[int, int], interlace: int, depth: int) -> None:
    """However the rows are coded, those behind the last one are not kept, and the others all are."""
    width, height = size
    rows = b"".join(b"\0" + bytes(each) for each in rows_of(width, height, depth=depth, interlace=interlace))

    def png(pixel_rows: bytes) -> bytes:
        header = png_header(width, height, bit_depth=depth, colour_type=0, interlace=interlace)
        return png_of([(b"IHDR", header), (b"IDAT", zlib.compress(pixel_rows, 9)), (b"IEND", b"")])

    plain = png(rows)
    assert clean_copy(ImageFormat.PNG, plain) == plain
    for more in (b"H", b"HcCanary" * 40):
        assert clean_copy(ImageFormat.PNG, png(rows + more)) == plain


def rows_of(width: int, height: int, *, depth: int, interlace: int) -> list[int]:
    """Bytes of each row of a grey picture, counted pixel by pixel (PNG, clause 8.1)."""
    if not interlace:
        return [(width * depth + 7) // 8] * height
    pattern = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    rows = []
    for number in "1234567":
        for y in range(height):
            shown = sum(pattern[y % 8][x % 8] == number for x in range(width))
            rows += [(shown * depth + 7) // 8] if shown else []
    return rows
