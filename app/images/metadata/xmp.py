"""XMP packets: what they tell, by the names of their properties (ISO 16684-1).

Names and two texts are searched for, no XML is parsed: a packet that would explode in a parser does nothing here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from app.images.metadata.findings import Finding, PrivacyFact

# Ordinary packets have 2 to 60 KB; larger ones hold pictures in base 64, behind everything else.
MAX_PACKET_BYTES = 256 * 1024

_NAME = re.compile(r"[<\s][A-Za-z_][\w.-]*:([A-Za-z_]\w*)")
_MARKUP = re.compile(r"<[^<>]*>")
_ITEM = re.compile(r"<(\w+):li\b[^<>]*>([^<>]*)</\1:li>")
_MAX_ITEMS = 20
_CREATORS, _COPYRIGHTS = ("dc:creator", "tiff:Artist"), ("dc:rights", "tiff:Copyright")

_NAMES: dict[PrivacyFact, str] = {
    PrivacyFact.PLACE_NAMES: (
        "City State Country CountryCode CountryName Location LocationCreated LocationShown Sublocation ProvinceState "
        "WorldRegion"
    ),
    PrivacyFact.DATES: (
        "CreateDate ModifyDate MetadataDate DateCreated DateTime DateTimeOriginal DateTimeDigitized date"
    ),
    PrivacyFact.CAMERA: "Make Model Lens LensID LensInfo LensMake LensModel UniqueCameraModel",
    PrivacyFact.OWNER_NAMES: "OwnerName CameraOwnerName Owner CreatorContactInfo",
    PrivacyFact.PEOPLE: "PersonInImage PersonInImageWDetails PersonDisplayName PersonName RegionInfo Regions",
    PrivacyFact.DESCRIPTIONS: (
        "title description subject Headline CaptionWriter ImageDescription hierarchicalSubject TagsList Rating Label"
    ),
    PrivacyFact.COMMENTS: "UserComment",
    PrivacyFact.SOFTWARE: "CreatorTool softwareAgent Software",
    PrivacyFact.DOCUMENT_IDS: "DocumentID InstanceID OriginalDocumentID ImageUniqueID History DerivedFrom",
    PrivacyFact.THUMBNAIL: "Thumbnails",
    # Of Google's GDepth and GImage: a depth map or a further picture in base 64.
    PrivacyFact.SECOND_PICTURES: "Data",
}
_FACTS = {name: fact for fact, names in _NAMES.items() for name in names.split()}


def find_in_xmp(block: bytes) -> Iterator[Finding]:
    """What a packet tells, or a part of one."""
    if not block.strip(b"\0 "):
        return
    yield Finding(PrivacyFact.XMP)
    packet = _decode(block[:MAX_PACKET_BYTES])
    for name in set(_NAME.findall(packet)):
        if fact := _fact_of(name):
            yield Finding(fact)
    for fact, names in ((PrivacyFact.CREATOR, _CREATORS), (PrivacyFact.COPYRIGHT, _COPYRIGHTS)):
        for text in (_value(packet, name) for name in names):
            if text:
                yield Finding(fact, text, PrivacyFact.XMP)


def _fact_of(name: str) -> PrivacyFact | None:
    lowered = name.lower()
    if lowered.startswith("gps") and lowered != "gpsversionid":
        return PrivacyFact.GPS
    if lowered.endswith("serialnumber"):
        return PrivacyFact.SERIAL_NUMBERS
    return _FACTS.get(name)


def _decode(packet: bytes) -> str:
    """UTF-8, or UTF-16 in either order, which shows by its byte order mark or its NULs."""
    if packet[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return packet.decode("utf-16", "replace")
    if packet[:1] == b"\0":
        return packet.decode("utf-16-be", "replace")
    return packet.decode("utf-16-le" if packet[1:2] == b"\0" else "utf-8", "replace")


def _value(packet: str, name: str) -> str:
    """The text of the first property of this name: an attribute, or an element with its items; empty when blank."""
    attribute = packet.find(f'{name}="')
    if attribute >= 0:
        begin = attribute + len(name) + 2
        return html.unescape(packet[begin : packet.find('"', begin)]).strip()
    begin, finish = packet.find(f"<{name}"), packet.find(f"</{name}>")
    if begin < 0 or finish < begin:
        return ""
    element = packet[packet.find(">", begin) + 1 : finish]
    items = [text.strip() for _, text in _ITEM.findall(element)[:_MAX_ITEMS]] or [_MARKUP.sub(" ", element).strip()]
    # A text in several languages is one text: the default comes first.
    wanted = items[:1] if name in _COPYRIGHTS else items
    return html.unescape("; ".join(item for item in wanted if item))
