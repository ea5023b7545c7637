"""Formats are told from bytes alone, and what is refused is named."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.exceptions import ImageError, ImageFormatUnsupported
from app.images.formats import (
    FORMATS,
    NAMING_BYTES,
    SNIFF_BYTES,
    STORED_FORMATS,
    ImageFormat,
    name_refused,
    sniff_format,
)
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from tests.pictures import make_jpeg, make_png, make_webp

LIMITS = PixelLimits()


def _ftyp(major: bytes, *compatible: bytes) -> bytes:
    payload = major + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", len(payload) + 8) + b"ftyp" + payload + bytes(64)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (make_jpeg(8, 8), ImageFormat.JPEG),
        (make_png(8, 8), ImageFormat.PNG),
        (make_webp(8, 8), ImageFormat.WEBP),
        (make_webp(8, 8, lossless=True), ImageFormat.WEBP),
        (_ftyp(b"heic", b"mif1", b"heic"), ImageFormat.HEIC),
        (_ftyp(b"heix", b"mif1"), ImageFormat.HEIC),
        (_ftyp(b"mif1", b"mif1", b"heic"), ImageFormat.HEIC),
        (_ftyp(b"mif1", b"mif1"), None),
        (_ftyp(b"mif1", b"avif", b"heic"), ImageFormat.AVIF),
        (_ftyp(b"avif", b"mif1", b"heic"), ImageFormat.AVIF),
        (_ftyp(b"heic", b"mif1", b"avif"), ImageFormat.HEIC),
        (_ftyp(b"avis", b"msf1"), ImageFormat.AVIF),
        (_ftyp(b"miaf", *[b"abcd"] * 20, b"avif"), ImageFormat.AVIF),
        (_ftyp(b"isom", b"mp42", b"avif"), None),
        (b"GIF87a" + bytes(20), ImageFormat.GIF),
        (b"GIF89a" + bytes(20), ImageFormat.GIF),
        (b"GIF88a" + bytes(20), None),
        (b"II*\0" + bytes(20), ImageFormat.TIFF),
        (b"MM\0*" + bytes(20), ImageFormat.TIFF),
        (b"II+\0" + bytes(20), None),
        (b"", None),
    ],
)
def test_an_accepted_format_is_known_by_its_first_bytes(content: bytes, expected: ImageFormat | None) -> None:
    """A photo is recognised whatever its name says."""
    assert sniff_format(content[:SNIFF_BYTES]) is expected


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"II+\0" + bytes(20), "BigTIFF"),
        (b"MM\0+" + bytes(20), "BigTIFF"),
        (b"BM" + bytes(20), "BMP"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "EPS"),
        (b"\xc5\xd0\xd3\xc6" + bytes(20), "EPS"),
        (b"\0\0\1\0" + bytes(20), "ICO"),
        (b"\0\0\2\0" + bytes(20), "CUR"),
        (_ftyp(b"mif1", b"mif1"), "HEIF in an unknown coding"),
        (_ftyp(b"avci", b"mif1"), "HEIF coded with H.264"),
        (_ftyp(b"crx ", b"isom"), "a camera's raw file"),
        (_ftyp(b"jxl "), "JPEG XL"),
        (_ftyp(b"isom", b"mp42"), "a video or an unknown ISO media file"),
        (_ftyp(b"qt  "), "a video or an unknown ISO media file"),
        (b"\xff\x0a" + bytes(20), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51" + bytes(20), "JPEG 2000"),
        (b"8BPS\0\1", "PSD"),
        (b"P6\n8 8\n255\n", "PNM"),
        (b"P5 8 8 255 ", "PNM"),
        (b"\x01\xda\1\1\0\3", "SGI"),
        (b"SIMPLE  =                    T", "FITS"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"\x5c\1\0\0" + bytes(340) + b"n+1\0", "NIfTI or Analyze"),
        (b"\0\0\2\0\0\0\0\0\0\0\0\0\x10\0\x10\0\x18\0", "CUR"),
        (b"\0\0\x0a\0\0\0\0\0\0\0\0\0\x10\0\x10\0\x18\0", "TGA"),
        (b"v/1\x01" + bytes(20), "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"FUJIFILMCCD-RAW ", "a camera's raw file"),
        (b"qoif" + bytes(20), "QOI"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "a video"),
        (b"\x1a\x45\xdf\xa3" + bytes(20), "a video"),
        (b"RIFF\x04\0\0\0AVI ", "a video"),
        (b"RIFF\x04\0\0\0WAVE", "a sound file"),
        (b'{"v": "5.5.7", "fr": 30}', "JSON"),
        (b'  [{"a": 1}]', "JSON"),
        (b"PK\x03\x04" + bytes(20), "ZIP"),
        (b"\x1f\x8b\x08" + bytes(20), "gzip"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"  \r\n\t<SVG>", "SVG"),
        (b"\xef\xbb\xbf<svg>", "SVG"),
        (b"<?xml version='1.0'?>\n<!-- drawn by hand -->\n<svg>", "SVG"),
        (b"<!-- " + b"x" * 500 + b" --><svg>", "SVG"),
        (b"<!DOCTYPE svg PUBLIC>", "SVG"),
        ("\ufeff<svg>".encode("utf-16-le"), "SVG"),
        (b"<!DOCTYPE html><script>", "HTML"),
        (b"<?xml version='1.0'?><html>", "HTML"),
        (b"<html>", "HTML"),
        (b"\0", "an unknown format"),
        (b"hello", "an unknown format"),
        (b"\xff\xd8", "an unknown format"),
        (b"\x89PNG", "an unknown format"),
        (b"RIFF\x04\0\0\0XXXX", "an unknown format"),
    ],
)
def test_a_refused_format_is_named(content: bytes, name: str) -> None:
    """Someone who sends a drawing or a video reads what it was and what would pass."""
    assert name_refused(content[:NAMING_BYTES]) == name
    with pytest.raises(ImageFormatUnsupported, match=f"The file is {name}; accepted are JPEG, PNG, WEBP, AVIF, GIF"):
        inspect_image(content, LIMITS)


@given(st.binary(max_size=NAMING_BYTES))
def test_every_refused_file_gets_some_name(head: bytes) -> None:
    """No bytes whatever make the naming fail."""
    assert name_refused(head)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_an_error_about_the_image(content: bytes) -> None:
    """Whatever is sent, the answer is about the picture, never a crash."""
    with pytest.raises(ImageError):
        inspect_image(content, LIMITS)


def test_every_format_has_its_row() -> None:
    """A format is one row of a table: how it begins, who reads it, its extension."""
    assert list(FORMATS) == list(ImageFormat)
    assert all(bool(row.start) != bool(row.brands) for row in FORMATS.values())
    assert len({row.extension for row in FORMATS.values()}) == len(FORMATS)


def test_stored_formats_have_the_extensions_and_types_of_the_contract() -> None:
    """What lies in the bucket has the extension and the content type that browsers expect."""
    shapes = {(member.extension, member.content_type) for member in STORED_FORMATS}
    assert shapes == {("jpg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp"), ("avif", "image/avif")}
