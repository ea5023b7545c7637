"""The metadata blocks of one file: each is read by its own reader, and only the first `MAX_BLOCKS` are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.images.metadata.exif import find_in_exif
from app.images.metadata.findings import Finding, PrivacyFact
from app.images.metadata.iptc import find_in_iptc, find_in_photoshop
from app.images.metadata.xmp import find_in_xmp

# Ordinary files have one of each kind. Thousands would keep us busy for seconds; they are named, not read.
MAX_BLOCKS = 16
_EXIF_HEADER = b"Exif\0\0"
_PHOTOSHOP_HEADER = b"Photoshop 3.0\0"


class Blocks:
    """Reads the blocks of one file; every block is at most as long as what the container allows."""

    def __init__(self) -> None:
        self._left = MAX_BLOCKS

    def exif(self, block: bytes) -> Iterator[Finding]:
        """EXIF, with the header of JPEG before it or without."""
        yield from self._read(PrivacyFact.EXIF, find_in_exif, block.removeprefix(_EXIF_HEADER))

    def xmp(self, block: bytes) -> Iterator[Finding]:
        """A packet, or a part of one."""
        yield from self._read(PrivacyFact.XMP, find_in_xmp, block)

    def iptc(self, block: bytes) -> Iterator[Finding]:
        """IPTC records, bare or in resources of Photoshop."""
        if block.startswith((_PHOTOSHOP_HEADER, b"8BIM")):
            yield from self.photoshop(block)
        else:
            yield from self._read(PrivacyFact.IPTC, find_in_iptc, block)

    def photoshop(self, block: bytes) -> Iterator[Finding]:
        """Resources of Photoshop, with the header of JPEG before them or without."""
        resources = block.removeprefix(_PHOTOSHOP_HEADER)
        yield from self._read(PrivacyFact.APPLICATION_DATA, find_in_photoshop, resources)

    def _read(self, fact: PrivacyFact, read: Callable[[bytes], Iterator[Finding]], block: bytes) -> Iterator[Finding]:
        if self._left:
            self._left -= 1
            yield from read(block)
        else:
            yield Finding(fact)
