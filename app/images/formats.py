"""The formats we accept: sniffed from the first bytes, with MIME type and extension of each."""

from __future__ import annotations

import re
from enum import StrEnum

SNIFF_BYTES = 64
# Prologs and comments may stand before the first tag of a text.
NAMING_BYTES = 1024


class ImageFormat(StrEnum):
    """A format this service reads or stores; the value is its name on the wire."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    HEIC = "heic"

    @property
    def extension(self) -> str:
        """File extension without the dot, as used in keys and in `file_type`."""
        return _EXTENSIONS[self]

    @property
    def content_type(self) -> str:
        """MIME type (https://www.iana.org/assignments/media-types)."""
        return f"image/{self.value}"


_EXTENSIONS = {ImageFormat.JPEG: "jpg", ImageFormat.PNG: "png", ImageFormat.WEBP: "webp", ImageFormat.HEIC: "heic"}

# What lies in the bucket is always one of these: every browser shows them.
STORED_FORMATS = (ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP)

# ISO/IEC 23008-12, clause 10, and Apple's own brands for photos coded with HEVC.
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_HEIF_CONTAINER_BRANDS = frozenset({b"mif1", b"msf1"})

_REFUSED_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"BM", "BMP"),
    (b"%PDF", "PDF"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"\x00\x00\x02\x00", "CUR"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "PSD"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "ZIP"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
)

_MARKUP_PROLOG = re.compile(r"^(?:\s|<!--.*?-->|<\?xml.*?\?>)+", re.DOTALL)


def sniff_format(head: bytes) -> ImageFormat | None:
    """The accepted format that these first bytes (at least `SNIFF_BYTES` where there are as many) begin, or None."""
    if head.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ImageFormat.WEBP
    brands = _brands(head)
    if (
        brands
        and "AVIF" not in _isobmff_name(brands)
        and (brands[0] in _HEIC_BRANDS or (brands[0] in _HEIF_CONTAINER_BRANDS and _HEIC_BRANDS.intersection(brands)))
    ):
        return ImageFormat.HEIC
    return None


def name_refused(head: bytes) -> str:
    """What a file that is not accepted seems to be, for the error's sentence: "GIF", "SVG", "an unknown format".

    `head` is its first `NAMING_BYTES` where there are as many.
    """
    for magic, name in _REFUSED_MAGIC:
        if head.startswith(magic):
            return name
    if brands := _brands(head):
        return _isobmff_name(brands)
    return _markup_name(head) or "an unknown format"


def _markup_name(head: bytes) -> str | None:
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    text = _MARKUP_PROLOG.sub("", head.decode(encoding, "replace").removeprefix("\ufeff").lower())
    if text.startswith(("<svg", "<?xml", "<!doctype svg")):
        return "SVG"
    if text.startswith(("<!doctype html", "<html")):
        return "HTML"
    return None


def _brands(head: bytes) -> list[bytes]:
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12]] + [head[at : at + 4] for at in range(16, end - 3, 4)]


def _isobmff_name(brands: list[bytes]) -> str:
    if brands[0] in {b"avif", b"avis"} or (brands[0] not in _HEIC_BRANDS and b"avif" in brands):
        return "AVIF"
    return "a video or an unknown ISO media file"
