"""Range requests (RFC 9110, section 14): one range of bytes, or the whole."""

from __future__ import annotations

import re

from app.core.exceptions import RangeNotSatisfiable
from app.services.protocols import ByteRange

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


def parse_range(header: str, *, size: int) -> ByteRange | None:
    """The bytes asked for, cut at the end of an object of `size` bytes.

    None for what is answered with the whole: several ranges, another unit, or nothing that can be read.

    Raises:
        RangeNotSatisfiable: the range begins behind the end.
    """
    match = _ONE_RANGE.fullmatch(header)
    if not match or match[1] == match[2] == "":
        return None
    first, last = (int(text) if text else None for text in match.groups())
    if first is None:
        first, last = max(size - (last or 0), 0), size - 1
    elif last is None:
        last = size - 1
    elif last < first:
        return None
    assert last is not None  # noqa: S101 - one of both was given
    if first >= size:
        raise RangeNotSatisfiable(size=size)
    return ByteRange(first, min(last, size - 1))
