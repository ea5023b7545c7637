"""Numbers of odd lengths of bits, most significant first, as the headers of AV1 and HEVC have them."""

from __future__ import annotations

from app.core.exceptions import ImageCorrupt


class Bits:
    """The bits of some bytes, taken one number after the other.

    Every method raises `ImageCorrupt` when the bits end first.
    """

    def __init__(self, content: bytes | memoryview) -> None:
        self._value = int.from_bytes(content, "big")
        self._left = 8 * len(content)

    def take(self, count: int) -> int:
        """A number of this many bits."""
        self._left -= count
        if self._left < 0:
            raise ImageCorrupt
        return self._value >> self._left & (1 << count) - 1

    def skip(self, count: int) -> None:
        """Passes over this many bits."""
        self._left -= count
        if self._left < 0:
            raise ImageCorrupt

    def golomb(self) -> int:
        """An Exp-Golomb number: ue(v) of ITU-T H.265, clause 9.2; `uvlc()` of AV1, section 4.10.3, is the same."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ImageCorrupt
        return (1 << zeros) - 1 + self.take(zeros)
