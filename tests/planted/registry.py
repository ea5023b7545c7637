"""The table of planted pictures: how each is made, and the facts that its receipt must name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from tests.planted.canaries import canary

WIDTH, HEIGHT = 128, 96


def facts_of(names: str) -> frozenset[str]:
    return frozenset(names.split())


EXIF_FACTS = facts_of(
    "exif gps dates camera serial_numbers owner_names creator copyright descriptions software document_ids "
    "maker_notes comments thumbnail"
)
XMP_FACTS = facts_of(
    "xmp gps place_names serial_numbers owner_names creator copyright descriptions document_ids second_pictures"
)
IPTC_FACTS = facts_of("iptc creator copyright descriptions place_names owner_names")
PHOTOSHOP_FACTS = IPTC_FACTS | XMP_FACTS | {"thumbnail", "application_data"}
# TIFF's tags for XMP, IPTC and Photoshop may stand in EXIF.
FULL_EXIF_FACTS = EXIF_FACTS | PHOTOSHOP_FACTS


@dataclass(frozen=True)
class Planted:
    """A picture that holds canaries, and all facts of its receipt."""

    make: Callable[[], bytes]
    facts: frozenset[str]


PLANTED: dict[str, Planted] = {}


def plant(name: str, *facts: str, also: frozenset[str] = frozenset()) -> Callable[[Callable[[str], bytes]], None]:
    """Registers the picture that a function makes of its name."""

    def register(make: Callable[[str], bytes]) -> None:
        assert name not in PLANTED
        PLANTED[name] = Planted(cache(lambda: make(name)), also | set(facts))

    return register


def mark(name: str, where: str) -> bytes:
    """The canary of a place, as bytes."""
    return canary(f"{name} {where}").encode()
