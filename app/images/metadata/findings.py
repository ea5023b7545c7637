"""What metadata can tell, as named facts; readers yield findings, and only rights carry their text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PrivacyFact(StrEnum):
    """A kind of thing that a file can hold beside its pixels; the value is its name on the wire.

    The first group says what is told, the second where it stands.
    """

    GPS = "gps"
    PLACE_NAMES = "place_names"
    DATES = "dates"
    CAMERA = "camera"
    SERIAL_NUMBERS = "serial_numbers"
    OWNER_NAMES = "owner_names"
    PEOPLE = "people"
    CREATOR = "creator"
    COPYRIGHT = "copyright"
    DESCRIPTIONS = "descriptions"
    SOFTWARE = "software"
    DOCUMENT_IDS = "document_ids"

    EXIF = "exif"
    XMP = "xmp"
    IPTC = "iptc"
    MAKER_NOTES = "maker_notes"
    COMMENTS = "comments"
    TEXT = "text"
    ICC_PROFILE = "icc_profile"
    THUMBNAIL = "thumbnail"
    SECOND_PICTURES = "second_pictures"
    VIDEO = "video"
    APPLICATION_DATA = "application_data"
    TRAILING_BYTES = "trailing_bytes"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a file holds. `text` is filled for creator and copyright alone, `source` says where it stood."""

    fact: PrivacyFact
    text: str = ""
    source: PrivacyFact = PrivacyFact.TEXT
