"""What a TIFF holds beside the pixels of its first page: in tags, further pages, and behind all that it points to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from app.core.exceptions import ImageError
from app.images.containers.tiff import TiffDirectory, tiff_directories
from app.images.metadata.exif import EXIF_POINTER, GPS_POINTER, KNOWN_TAGS, find_in_directory
from app.images.metadata.findings import Finding, PrivacyFact
from app.images.metadata.tags import directories_at

MAX_PAGES = 64
# Of so many pages the tags are read; that there are more is told.
_READ_PAGES = 8

_SUBFILE_TYPE, _SUBFILES = 0x00FE, 0x014A
_IS_REDUCED = 1
# Where pixels stand, and how many bytes: strips, tiles, and the streams of the old kind of JPEG.
_PLACES = ((273, 279), (324, 325), (513, 514))
# Of TIFF 6.0, its supplements, and what GDAL and others use to describe samples.
_PICTURE_TAGS = frozenset(
    {*range(254, 269), *range(273, 285), *range(286, 305), *range(317, 348), *range(512, 534), 32995, 32996, 32997}
    # Names of inks and of a printer.
    - {333, 337}
)


def find_in_tiff(content: bytes) -> Iterator[Finding]:
    """The findings of every page; those of the first come first."""
    pages = list(_pages(content))
    for number, page in enumerate(pages[:_READ_PAGES]):
        if number:
            yield Finding(_fact_of_further(content, page))
        yield from _find_in_page(content, page)
        for smaller in directories_at(content, page, _SUBFILES):
            yield Finding(_fact_of_further(content, smaller))
            yield from _find_in_page(content, smaller)
    if len(pages) < MAX_PAGES and content[_end_of(content, pages) :].strip(b"\0"):
        yield Finding(PrivacyFact.TRAILING_BYTES)


def _pages(content: bytes) -> Iterator[TiffDirectory]:
    """Those of the chain that can be read, `MAX_PAGES` at most."""
    try:
        yield from islice(tiff_directories(content), MAX_PAGES)
    except ImageError:
        return


def _find_in_page(content: bytes, page: TiffDirectory) -> Iterator[Finding]:
    tags = set(page.entries)
    if tags & {EXIF_POINTER, GPS_POINTER}:
        yield Finding(PrivacyFact.EXIF)
    if tags - _PICTURE_TAGS - KNOWN_TAGS:
        yield Finding(PrivacyFact.APPLICATION_DATA)
    yield from find_in_directory(content, page)


def _fact_of_further(content: bytes, page: TiffDirectory) -> PrivacyFact:
    kind = _numbers(content, page, _SUBFILE_TYPE)
    return PrivacyFact.THUMBNAIL if kind and kind[0] & _IS_REDUCED else PrivacyFact.SECOND_PICTURES


def _end_of(content: bytes, pages: list[TiffDirectory]) -> int:
    """The end of the last byte that anything in the file points to."""
    directories = list(pages)
    for page in pages:
        for tag in (_SUBFILES, EXIF_POINTER, GPS_POINTER):
            directories += directories_at(content, page, tag)
    end = 0
    for directory in directories:
        end = max(end, directory.start + 6 + 12 * len(directory.entries))
        end = max(end, *(entry.at + entry.size for entry in directory.entries.values()))
        for starts, sizes in _PLACES:
            places = zip(_numbers(content, directory, starts), _numbers(content, directory, sizes), strict=False)
            end = max(end, max((start + size for start, size in places), default=0))
    return end


def _numbers(content: bytes, directory: TiffDirectory, tag: int) -> tuple[int, ...]:
    try:
        return directory.numbers(content, tag)
    except ImageError:
        return ()
