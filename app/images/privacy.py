"""The privacy receipt: what a file held beside its pixels that was removed, and what was kept; never the values."""

from __future__ import annotations

from dataclasses import dataclass

from app.images.formats import ImageFormat
from app.images.metadata.findings import PrivacyFact
from app.images.metadata.reading import find_metadata
from app.images.rights import NO_RIGHTS, Rights

__all__ = ["PrivacyFact", "PrivacyReceipt", "read_receipt"]


@dataclass(frozen=True, slots=True)
class PrivacyReceipt:
    """Sorted names of `PrivacyFact`: what the stored picture lacks of the file sent, and what it still has."""

    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def read_receipt(image_format: ImageFormat, content: bytes, *, kept: Rights = NO_RIGHTS) -> PrivacyReceipt:
    """The receipt of a file as it was sent, which has passed `read_structure`; it never raises for such files.

    `kept` are the rights that the stored picture carries (see `add_rights`), nothing by default.
    """
    found = {finding.fact for finding in find_metadata(image_format, content)}
    told = ((PrivacyFact.COPYRIGHT, kept.copyright), (PrivacyFact.CREATOR, kept.creator))
    kept_facts = {fact for fact, text in told if text}
    return PrivacyReceipt(_names(found - kept_facts), _names(kept_facts))


def _names(facts: set[PrivacyFact]) -> tuple[str, ...]:
    return tuple(sorted(fact.value for fact in facts))
