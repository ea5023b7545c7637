"""TIFF directories of any entries, as EXIF, MPF and TIFF files have them (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

ASCII, SHORT, LONG, RATIONAL, UNDEFINED, BYTE = 2, 3, 4, 5, 7, 1
_UNIT_BYTES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, UNDEFINED: 1}


@dataclass
class Directory:
    """Entries as (tag, type, value): bytes, numbers (SHORT or LONG), or directories and `Placed` bytes pointed at."""

    entries: list[tuple[int, int, bytes | Sequence[int] | list[Directory] | Placed]]
    following: Directory | None = None


@dataclass
class Placed:
    """Bytes somewhere in the file; the entry holds their offset."""

    content: bytes


@dataclass
class _Layout:
    order: str
    content: bytearray = field(default_factory=bytearray)

    def place(self, value: bytes) -> int:
        self.content += bytes(len(self.content) % 2)
        at = len(self.content)
        self.content += value
        return at

    def write(self, directory: Directory) -> int:
        count = len(directory.entries)
        at = self.place(bytes(2 + 12 * count + 4))
        table = struct.pack(f"{self.order}H", count)
        for tag, kind, value in sorted(directory.entries, key=lambda entry: entry[0]):
            payload = self._payload(kind, value)
            is_long = len(payload) > 4
            held = struct.pack(f"{self.order}I", self.place(payload)) if is_long else payload.ljust(4, b"\0")
            table += struct.pack(f"{self.order}HHI", tag, kind, len(payload) // _UNIT_BYTES[kind]) + held
        following = self.write(directory.following) if directory.following else 0
        table += struct.pack(f"{self.order}I", following)
        self.content[at : at + len(table)] = table
        return at

    def _payload(self, kind: int, value: bytes | Sequence[int] | list[Directory] | Placed) -> bytes:
        if isinstance(value, bytes):
            return value + b"\0" if kind == ASCII else value
        if isinstance(value, Placed):
            return struct.pack(f"{self.order}I", self.place(value.content))
        numbers = [self.write(each) if isinstance(each, Directory) else each for each in value]
        return struct.pack(f"{self.order}{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)


def tiff_of(first: Directory, *, order: str = ">") -> bytes:
    """A TIFF, or the block that EXIF is, of these directories; `order` is `<` or `>`."""
    layout = _Layout(order, bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4)))
    layout.content[4:8] = struct.pack(f"{order}I", layout.write(first))
    return bytes(layout.content)
