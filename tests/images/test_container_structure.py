"""Containers are checked whole before any decoder sees them: cut or lying files end here, whatever their format."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported, ImageTooManyFrames, ImageTruncated
from app.images.formats import ImageFormat
from app.images.records import Structure
from app.images.structure import read_structure
from tests.images.containers import read
from tests.images.whole_files import WHOLE_FILES
from tests.pictures import CANARY, make_jpeg, make_png, make_webp

FORMATS = {name: read(content).format for name, content in WHOLE_FILES.items()}
REFUSALS = (ImageTruncated, ImageCorrupt, ImageFormatUnsupported, ImageTooManyFrames)


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_whole_file_has_its_size_and_every_cut_of_it_is_refused(name: str) -> None:
    """A picture whose upload broke off is refused, wherever it broke off."""
    whole = WHOLE_FILES[name]
    assert read(whole).width in {12, 24, 64}
    for length in range(12, len(whole)):
        if FORMATS[name] is ImageFormat.TIFF and _has_every_pixel(whole[:length], whole):
            continue
        with pytest.raises((ImageTruncated, ImageCorrupt)):
            read_structure(FORMATS[name], whole[:length])


def _has_every_pixel(cut: bytes, whole: bytes) -> bool:
    """Pages and padding behind the first picture may be missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen, expected = (np.asarray(Image.open(io.BytesIO(each), formats=["TIFF"])) for each in (cut, whole))
    except Exception:  # noqa: BLE001 - whatever Pillow says, there is no picture
        return False
    return np.array_equal(seen, expected)


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "apng", "gif", "animated gif", "animated webp"])
def test_what_follows_the_picture_never_reaches_a_decoder(name: str) -> None:
    """A video or a second picture behind the first is cut off before anything looks at it."""
    structure = read(WHOLE_FILES[name] + CANARY.encode() * 10)
    assert CANARY.encode() not in structure.decodable
    assert structure == read(WHOLE_FILES[name])


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_what_a_decoder_may_see_is_read_as_the_file_was(name: str) -> None:
    """What is left for the decoder is a whole file of the same picture, from which nothing more can be taken."""
    structure = read(WHOLE_FILES[name])
    again = read(structure.decodable)
    assert (again.width, again.height, again.is_costly) == (structure.width, structure.height, structure.is_costly)
    assert again.decodable == structure.decodable


@pytest.mark.parametrize(
    ("content", "is_costly"),
    [
        (make_jpeg(8, 8), False),
        (make_jpeg(8, 8, progressive=True), True),
        (make_png(8, 8), False),
        (make_png(8, 8, interlaced=True), True),
        (make_webp(8, 8), False),
        (make_webp(8, 8, lossless=True), True),
        (make_webp(8, 8, mode="RGBA", lossless=True), True),
        (make_webp(8, 8, frames=2, lossless=True), True),
        (WHOLE_FILES["heic"], True),
        (WHOLE_FILES["gif"], True),
        (WHOLE_FILES["tiff"], False),
    ],
)
def test_codings_that_need_much_memory_are_marked(content: bytes, is_costly: bool) -> None:
    """Codings that take several times the memory per pixel are known before they are decoded."""
    assert read(content).is_costly is is_costly


@pytest.mark.parametrize(
    ("content", "frames"),
    [
        (make_png(8, 8), 1),
        (make_png(8, 8, frames=3), 3),
        (make_webp(8, 8), 1),
        (make_webp(8, 8, frames=4), 4),
        (make_webp(8, 8, frames=2, lossless=True), 2),
        (make_jpeg(8, 8), 1),
        (WHOLE_FILES["gif"], 1),
        (WHOLE_FILES["animated gif"], 3),
        (WHOLE_FILES["avif"], 1),
        (WHOLE_FILES["avif sequence"], 3),
        (WHOLE_FILES["tiff of pages"], 1),
    ],
)
def test_frames_are_counted(content: bytes, frames: int) -> None:
    """An animation is known to be one, and how long it is; pages are none."""
    assert read(content).frames == frames


STARTS: dict[ImageFormat, bytes] = {
    ImageFormat.JPEG: b"\xff\xd8\xff",
    ImageFormat.PNG: b"\x89PNG\r\n\x1a\n",
    ImageFormat.WEBP: b"RIFF\x40\0\0\0WEBP",
    ImageFormat.HEIC: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    ImageFormat.AVIF: b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
    ImageFormat.GIF: b"GIF89a",
    ImageFormat.TIFF: b"II*\0\x08\0\0\0",
}


@given(st.sampled_from(list(ImageFormat)), st.binary(max_size=300))
def test_arbitrary_bytes_after_a_right_start_never_break_the_reader(image_format: ImageFormat, rest: bytes) -> None:
    """Garbage that begins like a picture is refused as a picture that is cut or damaged."""
    _assert_reads_or_refuses(partial(read_structure, image_format, STARTS[image_format] + rest))


@given(st.sampled_from(list(WHOLE_FILES)), st.data())
def test_mutated_pictures_never_break_the_reader(name: str, data: st.DataObject) -> None:
    """Damage anywhere gives a size that the limits can judge, or a refusal."""
    content = bytearray(WHOLE_FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(8, len(content) - 1))
        content[at : at + data.draw(st.integers(1, 4))] = data.draw(st.binary(max_size=4) | st.just(b"\xff" * 4))
    _assert_reads_or_refuses(partial(read_structure, FORMATS[name], bytes(content)))


@given(st.sampled_from(list(WHOLE_FILES)), st.sampled_from(list(ImageFormat)))
def test_a_file_read_as_another_format_is_refused(name: str, image_format: ImageFormat) -> None:
    """No reader trips over a file of another kind."""
    _assert_reads_or_refuses(partial(read_structure, image_format, WHOLE_FILES[name]))


def _assert_reads_or_refuses(reading: Callable[[], Structure]) -> None:
    try:
        structure = reading()
    except REFUSALS:
        return
    assert structure.width > 0
    assert structure.height > 0
    assert structure.frames > 0
