"""What the reader of each container answers, and the bounds that all of them share."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.exceptions import ImageCorrupt

# An ICC profile's header alone has 128 bytes.
MIN_PROFILE_BYTES = 128
MAX_PROFILE_BYTES = 4 * 1024 * 1024
# Segments, chunks or boxes of one file. Real ones have a few thousand at most; empty ones could keep us busy for
# seconds.
MAX_PARTS = 100_000
TOO_MANY_PARTS = f"The file has more than {MAX_PARTS} parts."

# Beyond any setting's limit on frames; an animation with more is not read to its end.
MAX_READABLE_FRAMES = 100_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What a container says before anything is decoded; see `app.images.records.Structure`, which adds the format.

    Raises:
        ImageCorrupt: the picture has no area.
    """

    width: int
    height: int
    frames: int
    is_costly: bool
    decodable: bytes

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ImageCorrupt


class PartCounter:
    """Counts parts of one file, over all the tables and streams in which they stand."""

    def __init__(self) -> None:
        self._left = MAX_PARTS

    def count(self, parts: int = 1) -> None:
        """So many more.

        Raises:
            ImageCorrupt: there are more than `MAX_PARTS` by now.
        """
        self._left -= parts
        if self._left < 0:
            raise ImageCorrupt(TOO_MANY_PARTS)


class Kept:
    """The parts of a file that a decoder may see, in order; neighbours are joined, as most files are kept whole."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._parts: list[bytes | memoryview] = []
        self._start = self._end = 0

    def keep(self, start: int, end: int) -> None:
        """These bytes of the file stay."""
        if start != self._end:
            self._close()
            self._start = start
        self._end = end

    def put(self, part: bytes) -> None:
        """These bytes take the place of others."""
        self._close()
        self._parts.append(part)
        self._start = self._end = 0

    def joined(self) -> bytes:
        """Everything kept so far; the file itself, uncopied, where that is all of it."""
        if not self._parts and self._end - self._start == len(self._content):
            return self._content
        self._close()
        self._start = self._end = 0
        return b"".join(self._parts)

    def _close(self) -> None:
        if self._end > self._start:
            # A view: pictures of many megabytes are copied once, by `joined`.
            self._parts.append(memoryview(self._content)[self._start : self._end])


def is_plausible_profile(size: int) -> bool:
    """Whether an ICC profile may have this many bytes."""
    return MIN_PROFILE_BYTES <= size <= MAX_PROFILE_BYTES
