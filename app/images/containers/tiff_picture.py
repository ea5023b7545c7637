"""TIFF: what the first page says of the picture, and whether all of its strips or tiles are there (TIFF 6.0)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from operator import add, ge

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported, ImageTruncated
from app.images.containers.reading import TOO_MANY_PARTS, Reading, is_plausible_profile
from app.images.containers.tiff import TiffDirectory, tiff_directories

# Tiles of 64 by 64 pixels in the largest picture that any setting allows.
MAX_STRIPS = 250_000
# A decoder unpacks a tile whole.
_LARGE_TILE_PIXELS = 4_000_000

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_SIZES, _PLANES = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES = 322, 323, 324, 325
_SUBDIRECTORIES, _SAMPLE_FORMAT, _SUBSAMPLING, _PROFILE, _DNG_VERSION = 330, 339, 530, 34675, 50706
# What decoding and the colours need: with fill order, orientation, fax options, predictor, white point, primaries,
# palette, ink set, extra samples, JPEG tables and the YCbCr fields. EXIF, GPS, XMP, IPTC, texts and further pictures
# are not among them.
_KEPT = frozenset(
    {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_SIZES}
    | {_PLANES, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES, _SAMPLE_FORMAT, _SUBSAMPLING, _PROFILE}
    | {266, 274, 292, 293, 317, 318, 319, 320, 332, 338, 347, 529, 531, 532}
)
_UNPACKED, _JPEG, _YCBCR, _SEPARATE = 1, 7, 6, 2
# Bytes that one packed byte can stand for at most: LZW's longest code has 3,838 in 12 bits, Deflate's 258 in 2.
_MOST_UNPACKED = {_UNPACKED: 1, 5: 2_600, 8: 1_032, 32773: 64, 32946: 1_032}
_DECODABLE_COMPRESSIONS = frozenset({_UNPACKED, 2, 3, 4, 5, _JPEG, 8, 32773, 32946})
_COMPRESSION_NAMES = {
    6: "old-style JPEG",
    32766: "NeXT",
    32771: "CCITT RLE/W",
    32809: "ThunderScan",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
}
# Grey (0 is white or black), RGB, palette, CMYK, YCbCr.
_DECODABLE_COLOURS = frozenset({0, 1, 2, 3, 5, _YCBCR})
_DECODABLE_BITS = frozenset({1, 2, 4, 8, 16})
# CMYK and alpha.
_MAX_SAMPLES = 5
_UNSIGNED, _UNDEFINED = 1, 4
_REDUCED = 1
_CANON_RAW = b"CR\x02"


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the pixels are laid out; sizes in pixels, `planes` is 1 unless each sample has strips of its own."""

    width: int
    height: int
    bits: int
    samples: int
    planes: int
    block_width: int
    block_height: int
    is_tiled: bool

    @property
    def blocks(self) -> int:
        """Strips or tiles of the whole picture."""
        return -(-self.width // self.block_width) * -(-self.height // self.block_height) * self.planes


def read_tiff(content: bytes) -> Reading:
    """See `app.images.structure.read_structure`. Only the first page counts, further ones are cut off.

    Raises:
        ImageFormatUnsupported: it is a camera's raw file, or coded in a way that is not accepted.
    """
    page = next(tiff_directories(content), None)
    if page is None:
        raise ImageCorrupt
    _check_accepted(content, page)
    layout = _layout(content, page)
    _check_blocks(content, page, layout)
    is_costly = layout.is_tiled and layout.block_width * layout.block_height > _LARGE_TILE_PIXELS
    return Reading(layout.width, layout.height, frames=1, is_costly=is_costly, decodable=_first_page(content, page))


def _check_accepted(content: bytes, page: TiffDirectory) -> None:
    is_reduced = page.number(content, _SUBFILE, 0) & _REDUCED
    is_raw = content.startswith(_CANON_RAW, 8) or _DNG_VERSION in page.entries
    if is_raw or (is_reduced and _SUBDIRECTORIES in page.entries):
        raise ImageFormatUnsupported("The file is a camera's raw file, which is not accepted.")
    compression = page.number(content, _COMPRESSION, _UNPACKED)
    if compression not in _DECODABLE_COMPRESSIONS:
        name = _COMPRESSION_NAMES.get(compression, f"compression {compression}")
        raise ImageFormatUnsupported(f"The file is a TIFF with {name}, which is not accepted.")
    if page.number(content, _PHOTOMETRIC, _UNDEFINED) not in _DECODABLE_COLOURS:
        raise ImageFormatUnsupported("The file is a TIFF in a colour space that is not accepted.")
    per_sample = [page.entries[tag].count for tag in (_BITS, _SAMPLE_FORMAT) if tag in page.entries]
    if max(page.number(content, _SAMPLES, 1), *per_sample, 1) > _MAX_SAMPLES:
        raise ImageFormatUnsupported(f"The file is a TIFF of more than {_MAX_SAMPLES} samples per pixel.")
    bits = set(page.numbers(content, _BITS)) or {1}
    if not bits <= _DECODABLE_BITS or len(bits) > 1:
        raise ImageFormatUnsupported("The file is a TIFF whose samples are not of 1, 2, 4, 8 or 16 bits.")
    if not {_UNSIGNED, _UNDEFINED} >= set(page.numbers(content, _SAMPLE_FORMAT)):
        raise ImageFormatUnsupported("The file is a TIFF of signed or floating-point numbers, which is not accepted.")


def _layout(content: bytes, page: TiffDirectory) -> _Layout:
    width, height = page.number(content, _WIDTH, 0), page.number(content, _HEIGHT, 0)
    is_tiled = _TILE_WIDTH in page.entries
    if is_tiled:
        block_width, block_height = page.number(content, _TILE_WIDTH, 0), page.number(content, _TILE_HEIGHT, 0)
    else:
        block_width, block_height = width, min(height, page.number(content, _ROWS_PER_STRIP, height))
    samples = page.number(content, _SAMPLES, 1)
    if not (width and height and block_width and block_height and samples):
        raise ImageCorrupt
    planes = samples if page.number(content, _PLANES, 1) == _SEPARATE else 1
    bits = page.number(content, _BITS, 1)
    return _Layout(width, height, bits, samples, planes, block_width, block_height, is_tiled)


def _check_blocks(content: bytes, page: TiffDirectory, layout: _Layout) -> None:
    """Every strip or tile is there, lies within the file, and can hold all of its pixels."""
    if layout.blocks > MAX_STRIPS:
        raise ImageCorrupt(TOO_MANY_PARTS)
    offset_tag, size_tag = (_TILE_OFFSETS, _TILE_SIZES) if layout.is_tiled else (_STRIP_OFFSETS, _STRIP_SIZES)
    offsets = page.numbers(content, offset_tag)[: layout.blocks]
    compression = page.number(content, _COMPRESSION, _UNPACKED)
    needed = [1] * layout.blocks
    if ratio := _MOST_UNPACKED.get(compression):
        needed = [max(1, size // ratio) for size in _unpacked_sizes(content, page, layout)]
    sizes = page.numbers(content, size_tag)[: layout.blocks]
    if not sizes and compression == _UNPACKED:
        # Old writers leave the sizes out, which only pixels that are not packed allow.
        sizes = tuple(needed)
    if len(offsets) < layout.blocks or len(sizes) < layout.blocks or not min(offsets):
        raise ImageCorrupt
    if max(map(add, offsets, sizes)) > len(content) or not all(map(ge, sizes, needed)):
        raise ImageTruncated


def _unpacked_sizes(content: bytes, page: TiffDirectory, layout: _Layout) -> list[int]:
    """Bytes of each strip or tile; the last strips may hold fewer rows."""
    across, down = 1, 1
    samples = 1 if layout.planes > 1 else layout.samples
    if page.number(content, _PHOTOMETRIC, _UNDEFINED) == _YCBCR and layout.planes == 1 and samples == 3:
        across, down = ((*page.numbers(content, _SUBSAMPLING), 2, 2) if page.entries.get(_SUBSAMPLING) else (2, 2))[:2]
        if across not in {1, 2, 4} or down not in {1, 2, 4}:
            raise ImageCorrupt
        samples = across * down + 2
    row_bytes = (-(-layout.block_width // across) * samples * layout.bits + 7) // 8
    whole = row_bytes * -(-layout.block_height // down)
    sizes = [whole] * layout.blocks
    if not layout.is_tiled and (last_rows := layout.height % layout.block_height):
        strips = layout.blocks // layout.planes
        sizes[strips - 1 :: strips] = [row_bytes * -(-last_rows // down)] * layout.planes
    return sizes


def _first_page(content: bytes, page: TiffDirectory) -> bytes:
    """The file with a first page that has only fields of its pixels, and none after it."""
    kept = {tag: entry for tag, entry in sorted(page.entries.items()) if tag in _KEPT}
    if _PROFILE in kept and not is_plausible_profile(kept[_PROFILE].size):
        del kept[_PROFILE]
    if any(entry.at + entry.size > len(content) or not entry.size for entry in kept.values()):
        raise ImageTruncated
    entries = b"".join(content[entry.start : entry.start + 12] for entry in kept.values())
    directory = struct.pack(f"{page.order}H", len(kept)) + entries + bytes(4)
    if content.startswith(directory, page.start):
        return content
    return content[: page.start] + directory + content[page.start + len(directory) :]
