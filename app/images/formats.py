"""The formats we accept, one row each: how a file begins, who reads it, MIME type, extension, and which limit holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum

from app.images.containers.gif import read_gif
from app.images.containers.heif import read_avif, read_heic
from app.images.containers.jpeg import read_jpeg
from app.images.containers.png import read_png
from app.images.containers.reading import Reading
from app.images.containers.tiff_picture import read_tiff
from app.images.containers.webp import read_webp
from app.images.refused_formats import NAMING_BYTES as NAMING_BYTES
from app.images.refused_formats import name_refused as name_refused

# Lists of brands are the longest beginnings.
SNIFF_BYTES = 256


class ImageFormat(StrEnum):
    """A format this service reads or stores; the value is its name on the wire. `FORMATS` has a row for each."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"
    GIF = "gif"
    TIFF = "tiff"
    HEIC = "heic"

    @property
    def extension(self) -> str:
        """File extension without the dot, as used in keys and in `file_type`."""
        return FORMATS[self].extension

    @property
    def content_type(self) -> str:
        """MIME type (https://www.iana.org/assignments/media-types)."""
        return f"image/{self.value}"


class PixelClass(Enum):
    """Which limit on pixels holds: the one of the coding, as `is_costly` says of each file, or that of AVIF."""

    BY_CODING = "by coding"
    AVIF = "avif"


@dataclass(frozen=True, slots=True)
class FormatRow:
    """All that is to be said of a format. `start` matches its first bytes; ISO media files go by their `brands`."""

    extension: str
    reader: Callable[[bytes], Reading]
    start: re.Pattern[bytes] | None = None
    brands: frozenset[bytes] = frozenset()
    is_stored: bool = False
    keeps_animation: bool = False
    pixel_class: PixelClass = PixelClass.BY_CODING


def _start(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


FORMATS = {
    ImageFormat.JPEG: FormatRow("jpg", read_jpeg, _start(rb"\xff\xd8\xff"), is_stored=True),
    ImageFormat.PNG: FormatRow("png", read_png, _start(rb"\x89PNG\r\n\x1a\n"), is_stored=True),
    ImageFormat.WEBP: FormatRow("webp", read_webp, _start(rb"RIFF....WEBP"), is_stored=True, keeps_animation=True),
    ImageFormat.AVIF: FormatRow(
        "avif", read_avif, brands=frozenset({b"avif", b"avis"}), is_stored=True, pixel_class=PixelClass.AVIF
    ),
    ImageFormat.GIF: FormatRow("gif", read_gif, _start(rb"GIF8[79]a"), keeps_animation=True),
    ImageFormat.TIFF: FormatRow("tiff", read_tiff, _start(rb"II\*\0|MM\0\*")),
    # ISO/IEC 23008-12, clause 10, and Apple's own brands for photos coded with HEVC.
    ImageFormat.HEIC: FormatRow(
        "heic", read_heic, brands=frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
    ),
}

# What lies in the bucket is always one of these: every browser shows them.
STORED_FORMATS = tuple(each for each, row in FORMATS.items() if row.is_stored)

# They say that the file is HEIF; another brand says in which coding.
_CONTAINER_BRANDS = frozenset({b"mif1", b"msf1", b"miaf"})


def sniff_format(head: bytes) -> ImageFormat | None:
    """The accepted format that these first bytes (at least `SNIFF_BYTES` where there are as many) begin, or None."""
    brands = _brands(head)
    if brands:
        first = [each for each, row in FORMATS.items() if brands[0] in row.brands]
        others = [each for each, row in FORMATS.items() if row.brands.intersection(brands)]
        return next(iter(first or (others if brands[0] in _CONTAINER_BRANDS else ())), None)
    return next((each for each, row in FORMATS.items() if row.start and row.start.match(head)), None)


def _brands(head: bytes) -> list[bytes]:
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12]] + [head[at : at + 4] for at in range(16, end - 3, 4)]
