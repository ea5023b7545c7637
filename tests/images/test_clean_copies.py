"""The plain clean-up keeps every pixel and nothing else."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from app.images.cleanup import clean_copy, has_clean_copy
from app.images.formats import ImageFormat, sniff_format
from app.images.records import Structure
from app.images.structure import read_structure
from tests.icc_profiles import display_p3
from tests.pictures import (
    CANARY,
    add_jpeg_segments,
    make_jpeg,
    make_png,
    make_webp,
    photo,
    pixels_of,
)

SECRET = CANARY.encode()
LOADED: dict[str, Any] = {"text": CANARY, "gps": True, "icc": display_p3(CANARY), "trailing": SECRET}
FILES = {
    "jpeg": make_jpeg(
        60, 40, xmp=SECRET, iptc=SECRET, comment=SECRET, second_picture=make_jpeg(9, 9, comment=SECRET), **LOADED
    ),
    "progressive jpeg": make_jpeg(60, 40, progressive=True, comment=SECRET),
    "grey jpeg": make_jpeg(60, 40, mode="L", comment=SECRET),
    "png": make_png(60, 40, chunks=[(kind, SECRET) for kind in (b"tEXt", b"iTXt", b"prVt", b"sPLT")], **LOADED),
    "interlaced png": make_png(60, 40, interlaced=True, chunks=[(b"tEXt", SECRET)]),
    "palette png": make_png(60, 40, mode="P", chunks=[(b"tEXt", SECRET)]),
    "alpha png": make_png(60, 40, mode="RGBA", chunks=[(b"tEXt", SECRET)]),
    "webp": make_webp(60, 40, xmp=SECRET, chunks=[(b"prVt", SECRET)], **LOADED),
    "alpha webp": make_webp(60, 40, mode="RGBA", text=CANARY),
    "lossless webp": make_webp(60, 40, lossless=True, text=CANARY),
}


def read(content: bytes) -> Structure:
    image_format = sniff_format(content)
    assert image_format is not None
    return read_structure(image_format, content)


@pytest.mark.parametrize("name", FILES)
def test_a_clean_copy_has_the_same_pixels_and_no_metadata(name: str) -> None:
    """The picture looks the same to the last bit, and tells nothing of where and when it was taken."""
    content = FILES[name]
    assert SECRET in content
    structure = read(content)
    copy = clean_copy(structure.format, structure.decodable)
    assert SECRET not in copy
    assert len(copy) < len(content)
    mode = "RGBA" if "alpha" in name else "RGB"
    np.testing.assert_array_equal(pixels_of(copy, mode=mode), pixels_of(content, mode=mode))


@pytest.mark.parametrize("name", FILES)
def test_a_clean_copy_of_a_clean_copy_is_itself(name: str) -> None:
    """A stored picture that is uploaded again stays as it is."""
    structure = read(FILES[name])
    once = clean_copy(structure.format, structure.decodable)
    assert clean_copy(structure.format, read(once).decodable) == once


def test_reserved_and_unknown_jpeg_segments_are_dropped() -> None:
    """Only what makes up the pixels stays: a place that no one has thought of is no hiding place."""
    markers = [*range(0xE0, 0xF0), *range(0xF0, 0xFF), 0x02, 0x4F, 0xBF, 0xC8, 0xDE, 0xDF]
    content = add_jpeg_segments(make_jpeg(20, 20), [(marker, SECRET) for marker in markers])
    assert clean_copy(ImageFormat.JPEG, content) == clean_copy(ImageFormat.JPEG, make_jpeg(20, 20))


def test_the_segments_that_say_how_colours_are_coded_stay_but_carry_nothing_else() -> None:
    """JFIF and Adobe markers decide how colours read; thumbnails and text appended to them go."""
    content = make_jpeg(20, 20, mode="CMYK")
    adobe = content.index(b"\xff\xee\x00\x0eAdobe")
    loaded = content[:adobe] + b"\xff\xee" + struct.pack(">H", 14 + len(SECRET)) + content[adobe + 4 : adobe + 16]
    loaded += SECRET + content[adobe + 16 :]
    copy = clean_copy(ImageFormat.JPEG, loaded)
    assert SECRET not in copy
    np.testing.assert_array_equal(pixels_of(copy, mode="CMYK"), pixels_of(content, mode="CMYK"))
    jfif = add_jpeg_segments(
        make_jpeg(20, 20), [(0xE0, b"JFIF\0\1\1\0\0\1\0\1\1\1" + SECRET[:3]), (0xE0, b"JFXX\0" + SECRET)]
    )
    assert SECRET[:3] not in clean_copy(ImageFormat.JPEG, jfif)


def test_a_transparent_colour_of_a_palette_stays() -> None:
    """What was see-through stays see-through."""
    picture = photo(30, 20).quantize(16)
    picture.info["transparency"] = 3
    content = make_png(0, 0, picture=picture, chunks=[(b"tEXt", SECRET)])
    copy = clean_copy(ImageFormat.PNG, content)
    np.testing.assert_array_equal(pixels_of(copy, mode="RGBA"), pixels_of(content, mode="RGBA"))
    assert (pixels_of(copy, mode="RGBA")[..., 3] == 0).any()


def one_frame_webp() -> bytes:
    """A WebP animation of a single frame: its pixels lie inside the animation's chunk."""
    still = make_webp(24, 16)[12:]
    frame = bytes(6) + struct.pack("<I", 23)[:3] + struct.pack("<I", 15)[:3] + bytes(4) + still
    canvas = b"\x02\0\0\0" + struct.pack("<I", 23)[:3] + struct.pack("<I", 15)[:3]
    body = b"WEBP"
    for kind, payload in ((b"VP8X", canvas), (b"ANIM", bytes(6)), (b"ANMF", frame)):
        body += kind + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    "content",
    [make_webp(24, 16, frames=2), make_png(24, 16, frames=2), one_frame_webp()],
    ids=["webp", "png", "one frame"],
)
def test_an_animation_has_no_clean_copy(content: bytes) -> None:
    """Of an animation, even of a single frame, the clean-up would leave no pixels."""
    assert not has_clean_copy(read(content))


@pytest.mark.parametrize("name", FILES)
def test_a_still_picture_has_a_clean_copy(name: str) -> None:
    """Every still picture in a stored format can be kept as it was coded."""
    assert has_clean_copy(read(FILES[name]))
