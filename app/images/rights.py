"""Copyright and creator of a picture: found in what was sent, and written into what is stored when they are kept."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from app.images.formats import ImageFormat
from app.images.metadata.findings import Finding, PrivacyFact
from app.images.metadata.reading import find_metadata
from app.images.metadata.writing import add_exif

MAX_RIGHTS_CHARACTERS = 200
# Where the same is told twice, the first of these is believed.
_SOURCES = (PrivacyFact.EXIF, PrivacyFact.XMP, PrivacyFact.IPTC, PrivacyFact.TEXT)
_ARTIST, _COPYRIGHT = 0x013B, 0x8298


@dataclass(frozen=True, slots=True)
class Rights:
    """Who owns and who made a picture, in one line of at most `MAX_RIGHTS_CHARACTERS` each; None where not told."""

    copyright: str | None = None
    creator: str | None = None


NO_RIGHTS = Rights()


def find_rights(image_format: ImageFormat, content: bytes) -> Rights:
    """The rights that a file tells, which has passed `read_structure`; it never raises for such files."""
    found = list(find_metadata(image_format, content))
    return Rights(_find_text(found, PrivacyFact.COPYRIGHT), _find_text(found, PrivacyFact.CREATOR))


def add_rights(image_format: ImageFormat, body: bytes, rights: Rights) -> bytes:
    """The picture with an EXIF block of these fields and nothing else; the same bytes when there are none.

    `body` is a JPEG, PNG, WebP or AVIF that carries no EXIF, and the result is a whole file as before. What is really
    in it, `find_rights` of the result tells: an AVIF that another encoder wrote may take nothing.
    """
    fields = ((_ARTIST, rights.creator), (_COPYRIGHT, rights.copyright))
    texts = {tag: text.encode() for tag, text in fields if text}
    return add_exif(image_format, body, texts) if texts else body


def _find_text(found: list[Finding], fact: PrivacyFact) -> str | None:
    told = [finding for finding in found if finding.fact is fact]
    texts = (_clean(finding.text) for finding in sorted(told, key=lambda finding: _SOURCES.index(finding.source)))
    return next((text for text in texts if text), None)


def _clean(text: str) -> str:
    """One line without control and direction characters."""
    line = " ".join(text.split())
    plain = "".join(character for character in line if unicodedata.category(character)[0] != "C")
    return plain[:MAX_RIGHTS_CHARACTERS].strip()
