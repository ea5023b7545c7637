"""HEIF and AVIF: the picture that a file shows, and how large it is by every place that says so.

ISO/IEC 23008-12, clauses 6.5.3 (ispe), 6.5.8 (auxC), 6.6.2 (derived images); AV1 Image File Format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported
from app.images.containers.av1 import av1_sizes
from app.images.containers.heif_items import HeifItems, HeifProperty, read_heif_items
from app.images.containers.hevc import hevc_size
from app.images.containers.isobmff import Fields, heif_boxes
from app.images.containers.reading import PartCounter

AV1, HEVC = frozenset({b"av01"}), frozenset({b"hvc1", b"hev1"})
_CODING_NAMES = {
    b"av01": "AV1",
    b"avc1": "H.264",
    b"hvc1": "HEVC",
    b"hev1": "HEVC",
    b"j2k1": "JPEG 2000",
    b"jpeg": "JPEG",
    b"vvc1": "H.266",
    b"iovl": "an overlay of pictures",
    b"tmap": "a tone map",
    b"unci": "samples that are not compressed",
}
ALPHA_NAMES = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0")
# HEVC codes whole blocks of up to 64 pixels and says elsewhere how many of them show; some encoders of AV1 do so too.
_PADDING = 63
# Tiles of small pictures may be larger than what shows of them, but never much.
_MAX_SMALL_TILE = 1024
_SAMPLE_SIZES_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz")


@dataclass(frozen=True, slots=True)
class HeifPicture:
    """The items that make up the picture: the primary one, its alpha plane, and the coded tiles of either.

    `width` and `height` are in pixels as coded, before rotation, mirroring and clean aperture.
    """

    items: HeifItems
    width: int
    height: int
    tiles: tuple[int, ...]
    alpha: int | None
    alpha_tiles: tuple[int, ...]


def read_heif_picture(content: bytes, codings: frozenset[bytes]) -> HeifPicture:
    """The picture of a file whose every box and item is whole, and whose sizes agree.

    Raises:
        ImageTruncated: a box, or the bytes that an item points at, reach past the end.
        ImageCorrupt: the tables, or the sizes that they and the coded bytes announce, contradict one another.
        ImageFormatUnsupported: it is coded otherwise than with one of the `codings`.
    """
    items = read_heif_items(content)
    primary = items.primary
    parts = PartCounter()
    size = _announced_size(content, items, primary)
    tiles = _check_coded(content, items, primary, codings, parts)
    alpha = _find_alpha(content, items)
    alpha_tiles: tuple[int, ...] = ()
    if alpha is not None:
        alpha_size = _announced_size(content, items, alpha)
        if alpha_size[0] > size[0] or alpha_size[1] > size[1]:
            raise ImageCorrupt
        alpha_tiles = _check_coded(content, items, alpha, codings, parts)
    return HeifPicture(items, *size, tiles, alpha, alpha_tiles)


def count_frames(content: bytes) -> int:
    """Pictures of the longest sequence that the file holds beside its still one; 1 where there is none.

    Raises:
        ImageTruncated, ImageCorrupt: its boxes are not whole, or too many.
    """
    return max((1, *_sequence_lengths(content, (0, len(content)), _SAMPLE_SIZES_PATH, PartCounter())))


def _sequence_lengths(
    content: bytes, place: tuple[int, int], path: tuple[bytes, ...], parts: PartCounter
) -> Iterator[int]:
    if not path:
        yield int.from_bytes(content[place[0] + 8 : place[0] + 12], "big")
        return
    for kind, start, end in heif_boxes(content, *place):
        parts.count()
        if kind == path[0]:
            yield from _sequence_lengths(content, (start, end), path[1:], parts)


def _announced_size(content: bytes, items: HeifItems, item: int) -> tuple[int, int]:
    extent = items.find_property(item, b"ispe")
    if extent is None or extent.end - extent.start < 12:
        raise ImageCorrupt
    fields = Fields(content, extent.start + 4, extent.end)
    return fields.take(4), fields.take(4)


def _check_coded(
    content: bytes, items: HeifItems, item: int, codings: frozenset[bytes], parts: PartCounter
) -> tuple[int, ...]:
    """The coded items of a picture, none of which is larger than it says."""
    kind = items.kinds.get(item, b"")
    tiles = [item]
    if kind in {b"grid", b"iden"}:
        tiles = items.references.get((b"dimg", item), [])
    if kind == b"grid":
        _check_grid(content, items, item, tiles)
    elif kind == b"iden" and len(tiles) != 1:
        raise ImageCorrupt
    for tile in dict.fromkeys(tiles):
        if (coding := items.kinds.get(tile, b"")) not in codings:
            name = _CODING_NAMES.get(coding, "an unknown codec")
            raise ImageFormatUnsupported(f"The file is HEIF coded with {name}, which is not accepted.")
    used = [extent for tile in dict.fromkeys(tiles) for extent in items.extents.get(tile, ())]
    # Pictures that share bytes could have us, and a decoder, go over them again and again.
    if not used or sum(end - start for start, end in used) > len(content):
        raise ImageCorrupt
    _check_streams(content, items, tiles, parts)
    return tuple(tiles)


def _check_grid(content: bytes, items: HeifItems, item: int, tiles: list[int]) -> None:
    """Rows and columns of tiles of one size, none of which lies outside of what shows."""
    payload = items.payload(content, item)[:12]
    fields = Fields(payload, 0, len(payload))
    _, flags = fields.take(1), fields.take(1)
    rows, columns = fields.take(1) + 1, fields.take(1) + 1
    width, height = (fields.take(4 if flags & 1 else 2) for _ in range(2))
    if (width, height) != _announced_size(content, items, item) or len(tiles) != rows * columns:
        raise ImageCorrupt
    sizes = {_announced_size(content, items, tile) for tile in dict.fromkeys(tiles)}
    if len(sizes) != 1:
        raise ImageCorrupt
    for count, tile, whole in zip((columns, rows), sizes.pop(), (width, height), strict=True):
        if not (count - 1) * tile < whole <= count * tile or tile > max(whole, _MAX_SMALL_TILE):
            raise ImageCorrupt


def _check_streams(content: bytes, items: HeifItems, tiles: list[int], parts: PartCounter) -> None:
    """The coded bytes announce no larger pictures than the container does."""
    by_configuration: dict[HeifProperty, list[int]] = {}
    for tile in dict.fromkeys(tiles):
        configuration = items.find_property(tile, b"av1C" if items.kinds[tile] in AV1 else b"hvcC")
        if configuration is None:
            raise ImageCorrupt
        by_configuration.setdefault(configuration, []).append(tile)
    for configuration, described in by_configuration.items():
        box = content[configuration.start : configuration.end]
        announced = [_announced_size(content, items, tile) for tile in described]
        width, height = min(width for width, _ in announced), min(height for _, height in announced)
        streams = (items.payload(content, tile) for tile in described)
        if configuration.kind == b"av1C":
            by_stream = [av1_sizes(stream, parts) for stream in streams]
            if not all(by_stream):
                raise ImageCorrupt
            sizes = list(chain(*by_stream, av1_sizes(memoryview(box)[4:], parts)))
        else:
            sizes = [hevc_size(box, streams, parts)]
        if any(size[0] > width + _PADDING or size[1] > height + _PADDING for size in sizes):
            raise ImageCorrupt


def _find_alpha(content: bytes, items: HeifItems) -> int | None:
    for (kind, item), targets in items.references.items():
        auxiliary = items.find_property(item, b"auxC")
        if kind == b"auxl" and items.primary in targets and auxiliary:
            name = content[auxiliary.start + 4 : auxiliary.end]
            if name.startswith(ALPHA_NAMES):
                return item
    return None
