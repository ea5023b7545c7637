"""Formats are told from bytes alone, and what is refused is named."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.exceptions import ImageError, ImageFormatUnsupported
from app.images.formats import NAMING_BYTES, SNIFF_BYTES, STORED_FORMATS, ImageFormat, name_refused, sniff_format
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from tests.pictures import make_jpeg, make_png, make_webp

LIMITS = PixelLimits(max_pixels=100_000_000, max_side_pixels=30_000)


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
        (_ftyp(b"mif1", b"avif", b"heic"), None),
        (_ftyp(b"avif", b"mif1", b"heic"), None),
    ],
)
def test_an_accepted_format_is_known_by_its_first_bytes(content: bytes, expected: ImageFormat | None) -> None:
    """A photo is recognised whatever its name says."""
    assert sniff_format(content[:SNIFF_BYTES]) is expected


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"GIF87a" + bytes(20), "GIF"),
        (b"GIF89a" + bytes(20), "GIF"),
        (b"II*\0" + bytes(20), "TIFF"),
        (b"MM\0*" + bytes(20), "TIFF"),
        (b"MM\0+" + bytes(20), "TIFF"),
        (b"BM" + bytes(20), "BMP"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "EPS"),
        (b"\xc5\xd0\xd3\xc6" + bytes(20), "EPS"),
        (b"\0\0\1\0" + bytes(20), "ICO"),
        (b"\0\0\2\0" + bytes(20), "CUR"),
        (_ftyp(b"avif", b"mif1"), "AVIF"),
        (_ftyp(b"avis", b"msf1"), "AVIF"),
        (_ftyp(b"isom", b"mp42"), "a video or an unknown ISO media file"),
        (_ftyp(b"qt  "), "a video or an unknown ISO media file"),
        (b"\xff\x0a" + bytes(20), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51" + bytes(20), "JPEG 2000"),
        (b"8BPS\0\1", "PSD"),
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
        (b"RIFF\x04\0\0\0WAVE", "an unknown format"),
    ],
)
def test_a_refused_format_is_named(content: bytes, name: str) -> None:
    """Someone who sends a drawing or a video reads what it was and what would pass."""
    assert name_refused(content[:NAMING_BYTES]) == name
    with pytest.raises(ImageFormatUnsupported, match=f"The file is {name}; accepted are JPEG, PNG, WEBP, HEIC"):
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


def test_stored_formats_have_the_extensions_and_types_of_the_contract() -> None:
    """What lies in the bucket has the extension and the content type that browsers expect."""
    shapes = {(member.extension, member.content_type) for member in STORED_FORMATS}
    assert shapes == {("jpg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp")}
