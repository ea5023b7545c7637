"""Ways in which files break: on the wire, on disks, and in the hands of people who mean harm."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Mutation = Callable[[bytearray, random.Random], bytearray]

_TELLING_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
# Most of what decides how a file is read stands near its beginning.
_HEAD_BYTES = 700


def mutate(content: bytes, draw: random.Random) -> bytes:
    """The file with one to four faults."""
    broken = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        if len(broken) > 16:
            broken = draw.choice(_MUTATIONS)(broken, draw)
    return bytes(broken)


def cut(content: bytes, draw: random.Random) -> bytes:
    """A beginning of the file, never the whole."""
    return content[: draw.randrange(1, len(content))]


def _place(broken: bytearray, draw: random.Random) -> int:
    end = min(_HEAD_BYTES, len(broken)) if draw.random() < 0.6 else len(broken)
    return draw.randrange(end)


def _flip_bit(broken: bytearray, draw: random.Random) -> bytearray:
    broken[_place(broken, draw)] ^= 1 << draw.randrange(8)
    return broken


def _set_byte(broken: bytearray, draw: random.Random) -> bytearray:
    broken[_place(broken, draw)] = draw.randrange(256)
    return broken


def _set_number(broken: bytearray, draw: random.Random) -> bytearray:
    at, size = _place(broken, draw), draw.choice((1, 2, 4))
    order = draw.choice(("big", "little"))
    number = draw.choice(_TELLING_NUMBERS) & (256**size - 1)
    broken[at : at + size] = number.to_bytes(size, "big" if order == "big" else "little")
    return broken


def _remove(broken: bytearray, draw: random.Random) -> bytearray:
    at = _place(broken, draw)
    del broken[at : at + draw.randint(1, 64)]
    return broken


def _insert(broken: bytearray, draw: random.Random) -> bytearray:
    at = _place(broken, draw)
    broken[at:at] = draw.randbytes(draw.randint(1, 64))
    return broken


def _repeat(broken: bytearray, draw: random.Random) -> bytearray:
    at, size = _place(broken, draw), draw.randint(4, 200)
    broken[at:at] = bytes(broken[at : at + size]) * draw.randint(1, 20)
    return broken


def _swap(broken: bytearray, draw: random.Random) -> bytearray:
    first, second, size = _place(broken, draw), _place(broken, draw), draw.randint(1, 40)
    one, other = broken[first : first + size], broken[second : second + size]
    broken[second : second + size], broken[first : first + size] = one, other
    return broken


def _fill(broken: bytearray, draw: random.Random) -> bytearray:
    at, size = _place(broken, draw), draw.randint(1, 300)
    size = min(size, len(broken) - at)
    broken[at : at + size] = bytes([draw.choice((0, 0xFF, draw.randrange(256)))]) * size
    return broken


_MUTATIONS: Sequence[Mutation] = (
    _flip_bit,
    _flip_bit,
    _set_byte,
    _set_number,
    _set_number,
    _remove,
    _insert,
    _repeat,
    _swap,
    _fill,
)
