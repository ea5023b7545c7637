"""Which format a picture gets where the URL leaves it open: by what the client takes (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from app.images.formats import ImageFormat

_MAX_ACCEPT_CHARACTERS = 1000
_RANGE = re.compile(r"\s*image/(avif|webp)\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a client takes beside JPEG and PNG, which every client takes: all of `Accept` that matters."""

    avif: bool = False
    webp: bool = False


def parse_accept(header: str) -> Accepted:
    """What the header names with a weight over 0. Wildcards do not count: clients without AVIF send them too."""
    return _parse(header[:_MAX_ACCEPT_CHARACTERS])


@lru_cache(maxsize=512)
def _parse(header: str) -> Accepted:
    named: dict[str, bool] = {}
    for part in header.split(","):
        if match := _RANGE.fullmatch(part):
            named[match[1].lower()] = match[2] is None or float(match[2]) > 0
    return Accepted(avif=named.get("avif", False), webp=named.get("webp", False))


def formats_for(
    accepted: Accepted, *, stored: ImageFormat, has_alpha: bool, is_animated: bool
) -> Sequence[ImageFormat]:
    """The formats that the client shows, best first; the last one every client shows.

    AVIF is not written with frames. Pictures stored as PNG are drawings, or shine through: JPEG does them no good.
    """
    plain = ImageFormat.PNG if has_alpha or stored is ImageFormat.PNG else ImageFormat.JPEG
    chosen = [ImageFormat.AVIF] if accepted.avif and not is_animated else []
    if accepted.webp:
        chosen.append(ImageFormat.WEBP)
    return (*chosen, plain)
