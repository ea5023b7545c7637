"""The plain clean-up keeps every pixel and nothing else."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from app.images.cleanup import clean_copy, has_clean_copy, is_clean
from app.images.formats import STORED_FORMATS, ImageFormat
from tests.icc_profiles import display_p3
from tests.images.builders import box, full_box, pillow_file, webp, webp_canvas, webp_frame
from tests.images.containers import read
from tests.images.heif_builders import Item, av1_item, heif, obu
from tests.pictures import (
    CANARY,
    add_jpeg_segments,
    exif,
    make_jpeg,
    make_png,
    make_webp,
    photo,
    pixels_of,
    png_header,
    png_of,
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
    "avif": pillow_file("AVIF", size=(60, 40), exif=b"Exif\0\0" + exif(text=CANARY), xmp=SECRET),
    "alpha avif": pillow_file("AVIF", size=(60, 40), mode="RGBA", exif=b"Exif\0\0" + exif(text=CANARY), xmp=SECRET),
    "grey avif": pillow_file("AVIF", size=(60, 40), mode="L", xmp=SECRET, quality=90),
    "lossless avif": pillow_file("AVIF", size=(60, 40), xmp=SECRET, quality=100, subsampling="4:4:4"),
}


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
    assert clean_copy(ImageFormat.JPEG, content.replace(content[adobe + 9 : adobe + 15], SECRET[:6])) == clean_copy(
        ImageFormat.JPEG, content
    )
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


@pytest.mark.parametrize(
    "content",
    [
        make_webp(24, 16, frames=2),
        make_png(24, 16, frames=2),
        webp(webp_canvas(24, 16, flags=2), webp_frame((24, 16), (b"VP8 ", make_webp(24, 16)[20:]))),
        pillow_file("GIF", mode="P"),
        pillow_file("AVIF", frames=3),
    ],
    ids=["webp", "png", "one frame", "gif", "avif"],
)
def test_an_animation_has_no_clean_copy(content: bytes) -> None:
    """Of an animation, even of a single frame, the clean-up would leave no pixels."""
    assert not has_clean_copy(read(content))


@pytest.mark.parametrize("name", FILES)
def test_a_still_picture_has_a_clean_copy(name: str) -> None:
    """Every still picture in a stored format can be kept as it was coded."""
    assert has_clean_copy(read(FILES[name]))


SRGB = box(b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0x80))
NOT_PLAIN = {
    "turned": box(b"irot", b"\1"),
    "mirrored": box(b"imir", b"\0"),
    "cropped": box(b"clap", bytes(32)),
    "layered": box(b"lsel", b"\0\1"),
    "profiled": box(b"colr", b"prof" + bytes(300)),
    "wide": box(b"colr", b"nclx" + struct.pack(">HHHB", 9, 16, 9, 0x80)),
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_an_avif_that_does_not_look_as_it_is_coded_has_no_clean_copy(name: str) -> None:
    """What its container turns, crops or colours would look different without it."""
    plain = (SRGB, box(b"irot", b"\0"), full_box(b"pixi", b"\3\x08\x08\x08"))
    assert has_clean_copy(read(heif(av1_item(40, 30, properties=plain))))
    assert not has_clean_copy(read(heif(av1_item(40, 30, properties=(NOT_PLAIN[name],)))))


def test_an_avif_of_ten_bits_has_no_clean_copy() -> None:
    """What is stored has 8 bits per sample."""
    item = av1_item(40, 30)
    deep = Item(item.kind, item.body, (item.properties[0], box(b"av1C", b"\x81\x00\x4c\x00")))
    assert not has_clean_copy(read(heif(deep)))


def test_nothing_hides_in_the_bitstream_of_an_avif() -> None:
    """Notes and padding between the coded frames, and behind properties, go as all the rest."""
    item = av1_item(40, 30)
    body = obu(2, b"") + obu(5, b"\x04" + SECRET) + item.body + obu(15, SECRET) + obu(9, SECRET)
    hiding = (
        full_box(b"ispe", struct.pack(">II", 40, 30) + SECRET),
        box(b"av1C", b"\x81\x00\x0c\x00" + obu(5, SECRET)),
        full_box(b"pixi", b"\3\x08\x08\x08" + SECRET),
        box(b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0x80) + SECRET),
    )
    loaded = read(heif(Item(item.kind, body, hiding)))
    copy = clean_copy(ImageFormat.AVIF, loaded.decodable)
    assert SECRET not in copy
    assert copy == clean_copy(ImageFormat.AVIF, copy)


def test_bytes_behind_the_pixels_of_a_png_are_cut_off() -> None:
    """Decoders pass over what follows the compressed pixels in their chunk; a clean copy does not keep it."""
    chunks = [(b"IHDR", png_header(8, 8)), (b"IDAT", zlib.compress(bytes(25 * 8))), (b"IEND", b"")]
    hidden = [
        chunks[0],
        (b"IDAT", chunks[1][1][:9]),
        (b"IDAT", chunks[1][1][9:] + SECRET),
        (b"IDAT", SECRET),
        chunks[2],
    ]
    assert clean_copy(ImageFormat.PNG, png_of(hidden)) == png_of(chunks)
    assert clean_copy(ImageFormat.PNG, png_of(chunks)) == png_of(chunks)


def test_an_animation_of_ours_keeps_frames_and_timing() -> None:
    """A clean animated WebP is its own clean copy; what is planted in it goes."""
    clean = clean_copy(ImageFormat.WEBP, make_webp(24, 16, frames=3))
    assert [frame.tobytes() for frame in frames_of(clean)] == [
        frame.tobytes() for frame in frames_of(make_webp(24, 16, frames=3))
    ]
    assert is_clean(ImageFormat.WEBP, clean)
    still = (b"VP8 ", make_webp(24, 16)[20:])
    loaded = webp(
        webp_canvas(24, 16, flags=0x2E),
        (b"ANIM", bytes(6) + SECRET),
        webp_frame((24, 16), still, (b"prVt", SECRET)),
        (b"XMP ", SECRET),
    )
    plain = webp(webp_canvas(24, 16, flags=2), (b"ANIM", bytes(6)), webp_frame((24, 16), still))
    reserved = bytearray(plain)
    reserved[reserved.index(b"ANMF") + 23] = 0xFC
    assert clean_copy(ImageFormat.WEBP, bytes(reserved)) == plain
    assert clean_copy(ImageFormat.WEBP, loaded) == plain
    assert not is_clean(ImageFormat.WEBP, loaded)


def frames_of(content: bytes) -> list[Image.Image]:
    """All frames, as Pillow sees them."""
    return [frame.convert("RGBA") for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))]


@pytest.mark.parametrize("name", FILES)
def test_only_a_clean_file_is_clean(name: str) -> None:
    """What comes back from a decoder's process is held to what makes a picture, to the last byte."""
    structure = read(FILES[name])
    copy = clean_copy(structure.format, structure.decodable)
    assert is_clean(structure.format, copy)
    assert not is_clean(structure.format, FILES[name])
    assert not is_clean(structure.format, copy + b"\0")
    assert not is_clean(structure.format, copy[:-1])
    assert not any(is_clean(other, copy) for other in STORED_FORMATS if other is not structure.format)


@given(st.sampled_from(list(ImageFormat)), st.sampled_from(list(FILES)), st.data())
def test_no_bytes_make_the_check_fail(image_format: ImageFormat, name: str, data: st.DataObject) -> None:
    """A process that hands back garbage is found out, not obeyed."""
    content = bytearray(FILES[name])
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=8))
    assert is_clean(image_format, bytes(content)) in {True, False}
