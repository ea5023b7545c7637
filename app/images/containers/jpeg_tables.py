"""JPEG: the tables that a picture is coded with, apart from those that no part of it refers to (ITU-T T.81, annex B).

A file may define what no scan uses; decoders pass over it, whatever it spells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_DHT, _DQT, _SOS = 0xC4, 0xDB, 0xDA
_FRAMES = frozenset({*range(0xC0, 0xD0)}) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_DC, _AC, _QUANTISATION = 0, 1, 2
_HEADER_BYTES = 4


@dataclass(slots=True)
class _Table:
    """One definition: the segment in which it stands, its bytes there, and whether a scan uses it."""

    segment: int
    start: int
    end: int
    is_used: bool = False


def reduced_tables(content: bytes, segments: Iterable[tuple[int, int, int]]) -> dict[int, bytes]:
    """The segments that define more than is used, by their starts, each with what is left of it: maybe nothing.

    `segments` are those of `jpeg_segments`. Segments that contradict themselves are left to the decoder.
    """
    tables: list[_Table] = []
    current: dict[tuple[int, int], _Table] = {}
    quantisation_of: dict[int, int] = {}
    is_progressive = False
    for marker, start, end in segments:
        if marker in {_DHT, _DQT}:
            for name, table in _definitions(content, marker, start, end):
                tables.append(table)
                current[name] = table
        elif marker in _FRAMES:
            is_progressive = marker in _PROGRESSIVE
            quantisation_of = {content[at]: content[at + 2] for at in range(start + 10, end - 2, 3)}
        elif marker == _SOS:
            for name in _uses(content, start, quantisation_of, is_progressive=is_progressive):
                if name in current:
                    current[name].is_used = True
    unused = {table.segment for table in tables if not table.is_used}
    return {
        segment: _rewritten(content, segment, [table for table in tables if table.segment == segment])
        for segment in unused
    }


def _definitions(content: bytes, marker: int, start: int, end: int) -> Iterator[tuple[tuple[int, int], _Table]]:
    at = start + _HEADER_BYTES
    while at < end:
        first = content[at]
        if marker == _DQT:
            name, size = (_QUANTISATION, first & 15), 1 + 64 * (1 + (first >> 4))
        else:
            name, size = (first >> 4, first & 15), 17 + sum(content[at + 1 : at + 17])
        if at + size > end:
            return
        yield name, _Table(start, at, at + size)
        at += size


def _uses(
    content: bytes, start: int, quantisation_of: dict[int, int], *, is_progressive: bool
) -> Iterator[tuple[int, int]]:
    """The tables of one scan; the scans of a progressive picture code either DC or AC."""
    count = content[start + 4]
    header = content[start + 5 : start + 6 + 2 * count]
    is_first = header[-1] == 0
    for component, chosen in zip(header[:-1:2], header[1:-1:2], strict=False):
        yield _QUANTISATION, quantisation_of.get(component, 0)
        if not is_progressive or is_first:
            yield _DC, chosen >> 4
        if not is_progressive or not is_first:
            yield _AC, chosen & 15


def _rewritten(content: bytes, start: int, tables: list[_Table]) -> bytes:
    kept = b"".join(content[table.start : table.end] for table in tables if table.is_used)
    return content[start : start + 2] + (len(kept) + 2).to_bytes(2, "big") + kept if kept else b""
