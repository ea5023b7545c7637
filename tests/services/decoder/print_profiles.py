"""A colour profile of a printing press for tests, built by hand: CMYK to Lab by a table (ICC.1:2001-04, lut16Type)."""

from __future__ import annotations

import itertools
import struct

import numpy as np

_GRID = 9
_WHITE = np.array([0.9642, 1.0, 0.8249])
# Linear sRGB to XYZ relative to D50.
_TO_XYZ = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
_PAPER, _BLACK = 0.92, 0.03
# What each ink leaves of red, green and blue light, as far from ideal inks as real ones are.
_INKS = np.array([[0.06, 0.45, 0.72], [0.62, 0.05, 0.30], [0.93, 0.80, 0.08], [0.05, 0.05, 0.06]])


def press_profile() -> bytes:
    """An output profile with one table, so that every rendering intent gives the same colours."""
    table = _table()
    tags = {b"desc": _described("Press"), b"cprt": struct.pack(">4sI", b"text", 0) + b"none\0", b"A2B0": table}
    tags[b"wtpt"] = struct.pack(">4sI3i", b"XYZ ", 0, *(round(value * 65536) for value in _WHITE))
    entries, payload = b"", b""
    offset = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        entries += struct.pack(">4sII", name, offset + len(payload), len(value))
        payload += value + b"\0" * (-len(value) % 4)
    header = struct.pack(">I4sI4s4s4s", offset + len(payload), b"test", 0x02100000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", *(round(value * 65536) for value in _WHITE))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + payload


def _table() -> bytes:
    identity = struct.pack(">9i", *(65536 if at % 4 == 0 else 0 for at in range(9)))
    linear = struct.pack(">2H", 0, 0xFFFF)
    nodes = np.array(list(itertools.product(np.linspace(0, 1, _GRID), repeat=4)))
    colours = _lab(nodes)
    encoded = np.stack([colours[:, 0] / 100 * 0xFF00, *((colours[:, at] + 128) * 256 for at in (1, 2))], axis=1)
    lattice = np.clip(encoded.round(), 0, 0xFFFF).astype(">u2").tobytes()
    head = struct.pack(">4sI4B", b"mft2", 0, 4, 3, _GRID, 0) + identity + struct.pack(">2H", 2, 2)
    return head + linear * 4 + lattice + linear * 3


def _lab(inks: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    light = np.full((len(inks), 3), _PAPER - _BLACK)
    for at, left in enumerate(_INKS):
        light *= 1 - inks[:, at : at + 1] * (1 - left)
    ratios = ((light + _BLACK) @ _TO_XYZ.T) / _WHITE
    roots = np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116)
    lab: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.stack(
        [116 * roots[:, 1] - 16, 500 * (roots[:, 0] - roots[:, 1]), 200 * (roots[:, 1] - roots[:, 2])], axis=1
    )
    return lab


def _described(text: str) -> bytes:
    encoded = text.encode("ascii") + b"\0"
    return struct.pack(">4sII", b"desc", 0, len(encoded)) + encoded + bytes(8) + bytes(3 + 67)
