"""JPEG: its segments, and what they say of the picture (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported, ImageTruncated
from app.images.containers.exif import find_orientation, write_orientation
from app.images.containers.reading import MAX_PARTS, TOO_MANY_PARTS, Kept, Reading, is_plausible_profile

# A progressive JPEG of a camera has about ten scans; each costs a pass over every coefficient.
MAX_JPEG_SCANS = 100
# Quantisation, Huffman and other tables. A file with a hundred scans, each with its own, has about five hundred.
MAX_JPEG_TABLES = 1_000
# JFIF says that the colours are YCbCr, nothing more: no density, no thumbnail.
PLAIN_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"

_FILL = re.compile(rb"\xff+")
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff]")
# A marker inside entropy-coded bytes: 0xFF not followed by a stuffed zero, a restart marker or fill.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_UNSUPPORTED_SOF = {
    0xC3: "a lossless JPEG",
    0xC5: "a hierarchical JPEG",
    0xC6: "a hierarchical JPEG",
    0xC7: "a hierarchical JPEG",
    0xC9: "an arithmetic-coded JPEG",
    0xCA: "an arithmetic-coded JPEG",
    0xCB: "an arithmetic-coded JPEG",
    0xCD: "a hierarchical JPEG",
    0xCE: "a hierarchical JPEG",
    0xCF: "a hierarchical JPEG",
    0xF7: "a JPEG-LS",
}
_DHT, _DQT, _DRI = 0xC4, 0xDB, 0xDD
_SOI, _EOI, _SOS, _JFIF, _EXIF, _ICC, _ADOBE = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_ICC_NAME = b"ICC_PROFILE\0"
_SEQUENTIAL_SCAN = b"\x00\x3f\x00"
_ADOBE_BYTES = 12
# Grey, YCbCr or RGB, CMYK or YCCK.
_COMPONENTS = frozenset({1, 3, 4})


def jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker up to and with EOI of the first picture, as (marker, start, end) with end behind its payload.

    The payload of SOS runs to the next marker, so it holds the entropy-coded bytes. Stray bytes between segments, which
    some cameras leave, are passed over.

    Raises:
        ImageTruncated: the bytes end before EOI.
        ImageCorrupt: something else stands where a marker must, or there are more than `MAX_PARTS`.
    """
    at = 2
    for _ in range(MAX_PARTS):
        at = _next_marker(content, at)
        marker = content[at + 1]
        if marker == _SOI:
            raise ImageCorrupt
        if marker == _EOI:
            yield marker, at, at + 2
            return
        end = at + 2 if marker in _BARE_MARKERS else _segment_end(content, at)
        if marker == _SOS:
            found = _SCAN_END.search(content, end)
            if not found:
                raise ImageTruncated
            end = found.start()
        yield marker, at, end
        at = end
    raise ImageCorrupt(TOO_MANY_PARTS)


def _next_marker(content: bytes, at: int) -> int:
    """Where the last fill byte before a marker stands."""
    fill = _FILL.match(content, at)
    if fill and fill.end() < len(content) and content[fill.end()]:
        return fill.end() - 1
    if at + 2 > len(content) or (fill and fill.end() == len(content)):
        raise ImageTruncated
    found = _NEXT_MARKER.search(content, at)
    if not found:
        raise ImageCorrupt
    return found.start()


def _segment_end(content: bytes, at: int) -> int:
    length = int.from_bytes(content[at + 2 : at + 4], "big")
    end = at + 2 + length
    if end > len(content) or at + 4 > len(content):
        raise ImageTruncated
    if length < 2:
        raise ImageCorrupt
    return end


def read_jpeg(content: bytes) -> Reading:
    """See `app.images.structure.read_structure`. Only the first picture counts: no trailer, video or gain map."""
    picture = _Picture(content)
    for marker, start, end in jpeg_segments(content):
        picture.add(marker, start, end)
    return picture.reading()


class _Picture:
    """What the segments so far say, and those of them that a decoder may see.

    Wrong bytes that change nothing are mended, so that every warning of a decoder is damage.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._kept = Kept(content)
        self._kept.keep(0, 2)
        self._size: tuple[int, int] | None = None
        self._components = 0
        self._is_progressive = False
        self._has_partial_scan = False
        self._scans = self._tables = 0
        self._has_jfif = self._has_exif = False
        self._profile = _Profile()

    def add(self, marker: int, start: int, end: int) -> None:
        """One more segment."""
        if marker in {_BASELINE, _EXTENDED, _PROGRESSIVE}:
            self._add_frame(marker, start, end)
        elif marker == _SOS:
            self._add_scan(start, end)
        elif marker in {_DHT, _DQT, _DRI}:
            self._tables += 1
            if self._tables > MAX_JPEG_TABLES:
                raise ImageCorrupt(f"The JPEG has more than {MAX_JPEG_TABLES} tables.")
            self._kept.keep(start, end)
        elif marker == _EOI:
            self._kept.keep(start, end)
        elif marker in _UNSUPPORTED_SOF:
            raise ImageFormatUnsupported(f"The file is {_UNSUPPORTED_SOF[marker]}, which is not accepted.")
        else:
            self._add_application(marker, start, end)

    def reading(self) -> Reading:
        """The whole picture."""
        if not self._size or not self._scans:
            raise ImageCorrupt
        # A decoder keeps all coefficients of a picture whose components come in several scans.
        is_costly = self._is_progressive or self._has_partial_scan
        return Reading(*self._size, frames=1, is_costly=is_costly, decodable=self._kept.joined())

    def _add_frame(self, marker: int, start: int, end: int) -> None:
        if self._size or end < start + 10:
            raise ImageCorrupt
        precision, self._components = self._content[start + 4], self._content[start + 9]
        if precision != 8:
            raise ImageFormatUnsupported(f"The file is a JPEG of {precision} bits per sample; accepted are 8.")
        if self._components not in _COMPONENTS:
            raise ImageFormatUnsupported(f"The file is a JPEG of {self._components} components, which is not accepted.")
        height, width = (int.from_bytes(self._content[at : at + 2], "big") for at in (start + 5, start + 7))
        self._size = width, height
        self._is_progressive = marker == _PROGRESSIVE
        self._kept.keep(start, end)

    def _add_scan(self, start: int, end: int) -> None:
        header_end = _segment_end(self._content, start)
        if not self._size or header_end < start + 8:
            raise ImageCorrupt
        self._scans += 1
        if self._scans > MAX_JPEG_SCANS:
            raise ImageCorrupt(f"The JPEG has more than {MAX_JPEG_SCANS} scans.")
        self._has_partial_scan |= self._content[start + 4] < self._components
        if self._is_progressive or self._content[header_end - 3 : header_end] == _SEQUENTIAL_SCAN:
            self._kept.keep(start, end)
            return
        # Many Samsung phones write other parameters than the only ones that a sequential scan can have.
        self._kept.keep(start, header_end - 3)
        self._kept.put(_SEQUENTIAL_SCAN)
        self._kept.keep(header_end, end)

    def _add_application(self, marker: int, start: int, end: int) -> None:
        content = self._content
        if marker == _JFIF and content.startswith(b"JFIF\0", start + 4):
            if content[start:end] == PLAIN_JFIF and not self._has_jfif:
                self._kept.keep(start, end)
            elif not self._has_jfif:
                self._kept.put(PLAIN_JFIF)
            self._has_jfif = True
        elif marker == _ADOBE and content.startswith(b"Adobe", start + 4) and end >= start + 4 + _ADOBE_BYTES:
            # It says how the colours are coded.
            self._kept.put(b"\xff\xee\x00\x0e" + content[start + 4 : start + 4 + _ADOBE_BYTES])
        elif marker == _EXIF and content.startswith(b"Exif\0", start + 4) and not self._has_exif:
            self._has_exif = True
            if (orientation := find_orientation(content[start + 10 : end])) > 1:
                self._kept.put(_segment(_EXIF, b"Exif\0\0" + write_orientation(orientation)))
        elif marker == _ICC and content.startswith(_ICC_NAME, start + 4) and self._profile.add(content, start, end):
            for part in self._profile.segments:
                self._kept.put(part)


class _Profile:
    """An ICC profile in pieces (ICC.1:2022, annex B.4), each with its number from 1 on and how many there are."""

    def __init__(self) -> None:
        self.segments: list[bytes] = []
        self._pieces: dict[int, bytes] = {}
        self._is_done = False

    def add(self, content: bytes, start: int, end: int) -> bool:
        """Whether this piece was the last that was missing, and the whole is plausible."""
        number, count = content[start + 16 : start + 17], content[start + 17 : start + 18]
        if self._is_done or not count or not 1 <= number[0] <= count[0] or number[0] in self._pieces:
            self._is_done = True
            return False
        self._pieces[number[0]] = content[start:end]
        self._is_done = len(self._pieces) == count[0]
        if not self._is_done:
            return False
        self.segments = [self._pieces[at] for at in sorted(self._pieces)]
        return is_plausible_profile(sum(len(segment) - 18 for segment in self.segments))


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload
