"""Colour profiles for tests, built by hand: matrix profiles like those of phones and of Adobe RGB (ICC.1:2001-04)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

_D65 = (0.3127, 0.3290)
_D50_XYZ = (0.9642, 1.0, 0.8249)
# Bradford's cone responses, by which profiles express everything relative to D50.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
Chromaticity = tuple[float, float]


def display_p3(description: str = "P3-like") -> bytes:
    """Primaries of Display P3 with sRGB's curve, as phones attach it."""
    samples = np.linspace(0, 1, 1024)
    linear = np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)
    curve = struct.pack(">4sII", b"curv", 0, 1024) + (linear * 65535).round().astype(">u2").tobytes()
    return matrix_profile([(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)], curve=curve, description=description)


def adobe_rgb(description: str = "Adobe-like") -> bytes:
    """Primaries and gamma (563/256) of Adobe RGB (1998)."""
    curve = struct.pack(">4sIIH", b"curv", 0, 1, 563)
    return matrix_profile([(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)], curve=curve, description=description)


def matrix_profile(primaries: Sequence[Chromaticity], *, curve: bytes, description: str) -> bytes:
    """A display profile of three primaries (x, y) under D65, the same tone curve for each."""
    columns = _adapted_primaries(primaries)
    text = description.encode("ascii") + b"\0"
    described = struct.pack(">4sII", b"desc", 0, len(text)) + text + bytes(8) + bytes(3 + 67)
    tags = {b"desc": described, b"cprt": struct.pack(">4sI", b"text", 0) + b"none\0", b"wtpt": _xyz(_D50_XYZ)}
    for band, name in enumerate((b"r", b"g", b"b")):
        tags[name + b"XYZ"] = _xyz(columns[:, band])
        tags[name + b"TRC"] = curve
    table, payload = b"", b""
    offset = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        padded = value + b"\0" * (-len(value) % 4)
        table += struct.pack(">4sII", name, offset + len(payload), len(value))
        payload += padded
    size = offset + len(payload)
    header = struct.pack(">I4sI4s4s4s", size, b"test", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _fixed(_D50_XYZ)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + payload


def _adapted_primaries(primaries: Sequence[Chromaticity]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """RGB → XYZ relative to D50, as columns."""
    white = np.array(_whole(_D65))
    unscaled = np.array([_whole(primary) for primary in primaries]).T
    matrix = unscaled * np.linalg.solve(unscaled, white)
    gain = (_BRADFORD @ np.array(_D50_XYZ)) / (_BRADFORD @ white)
    adapted: np.ndarray[tuple[int, int], np.dtype[np.float64]] = (
        np.linalg.inv(_BRADFORD) @ np.diag(gain) @ _BRADFORD @ matrix
    )
    return adapted


def _whole(chromaticity: Chromaticity) -> tuple[float, float, float]:
    x, y = chromaticity
    return x / y, 1.0, (1 - x - y) / y


def _fixed(values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]) -> bytes:
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _xyz(values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]) -> bytes:
    return struct.pack(">4sI", b"XYZ ", 0) + _fixed(values)
