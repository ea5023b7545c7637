"""What a HEIC or AVIF holds beside its picture: in items, properties and boxes (ISO/IEC 23008-12, 14496-12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.images.containers.heif_items import HeifItems, read_heif_items
from app.images.containers.isobmff import Fields, heif_boxes
from app.images.metadata.blocks import MAX_BLOCKS, Blocks
from app.images.metadata.findings import Finding, PrivacyFact

MAX_ITEM_BYTES = 1024 * 1024
MAX_NAME_BYTES = 256

_PICTURE_BOXES = frozenset({b"ftyp", b"mdat"})
_BOX_FACTS = {b"moov": PrivacyFact.SECOND_PICTURES, b"mpvd": PrivacyFact.VIDEO}
_META_TABLES = frozenset({b"pitm", b"iinf", b"iloc", b"iref", b"iprp", b"dinf", b"idat", b"grpl"})
_PROPERTY_FACTS = {
    b"udes": PrivacyFact.DESCRIPTIONS,
    b"altt": PrivacyFact.DESCRIPTIONS,
    b"crtt": PrivacyFact.DATES,
    b"mdft": PrivacyFact.DATES,
    b"uuid": PrivacyFact.APPLICATION_DATA,
}
_EMBEDDED_PROFILES = frozenset({b"prof", b"rICC"})
_PICTURES = frozenset(
    {b"av01", b"avc1", b"grid", b"hev1", b"hvc1", b"iden", b"iovl", b"j2k1", b"jpeg", b"tmap", b"unci", b"vvc1"}
)
_XMP_TYPE = b"application/rdf+xml"
_FILLING = frozenset({b"free", b"skip"})
_FULL_BOX_BYTES = 4
_AUXILIARY_TYPE_AT = 4
_HANDLER_NAME_AT = 24
# ISO/IEC 23000-22, clause 7.3.5.2 (MIAF), and ISO/IEC 23008-12, annex B (HEVC).
_ALPHAS = frozenset({b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"})
# Names that encoders give the parts of a picture.
_PLAIN_NAMES = frozenset({b"", b"Color", b"Alpha", b"Exif", b"XMP"})


@dataclass(frozen=True, slots=True)
class _Label:
    """How an item is called, and the MIME type that items of kind `mime` have."""

    item: int
    name: bytes
    content_type: bytes


def find_in_heif(content: bytes) -> Iterator[Finding]:
    """The findings of every box, in the order of the file."""
    items = read_heif_items(content)
    for kind, start, end in heif_boxes(content, 0, len(content)):
        if kind == b"meta":
            yield from _find_in_meta(content, start + _FULL_BOX_BYTES, end, items)
        elif kind in _FILLING:
            if content[start:end].strip(b"\0"):
                yield Finding(PrivacyFact.APPLICATION_DATA)
        elif kind not in _PICTURE_BOXES:
            yield Finding(_BOX_FACTS.get(kind, PrivacyFact.APPLICATION_DATA))
    yield from _find_pictures(content, items)


def _find_in_meta(content: bytes, start: int, end: int, items: HeifItems) -> Iterator[Finding]:
    for kind, at, stop in heif_boxes(content, start, end):
        if kind == b"iinf":
            yield from _find_in_items(content, items, _labels(content, at, stop))
        elif kind == b"iprp":
            yield from _find_in_properties(content, at, stop)
        elif kind == b"hdlr":
            if content[at + _HANDLER_NAME_AT : stop].strip(b"\0 "):
                yield Finding(PrivacyFact.TEXT)
        elif kind not in _META_TABLES:
            yield Finding(PrivacyFact.APPLICATION_DATA)


def _labels(content: bytes, start: int, end: int) -> Iterator[_Label]:
    fields = Fields(content, start, end)
    fields.take(4 if fields.version_and_flags()[0] else 2)
    for kind, at, stop in heif_boxes(content, fields.at, end):
        entry = Fields(content, at, stop)
        version, _ = entry.version_and_flags()
        if kind == b"infe" and version >= 2:
            item = entry.take(4 if version == 3 else 2)
            # Protection and type.
            entry.take(6)
            texts = content[entry.at : min(stop, entry.at + MAX_NAME_BYTES)].split(b"\0")
            yield _Label(item, texts[0], texts[1] if len(texts) > 1 else b"")


def _find_in_items(content: bytes, items: HeifItems, labels: Iterable[_Label]) -> Iterator[Finding]:
    blocks = Blocks()
    read = 0
    for label in labels:
        if label.name not in _PLAIN_NAMES:
            yield Finding(PrivacyFact.TEXT)
        kind = items.kinds[label.item]
        is_xmp = kind == b"mime" and label.content_type == _XMP_TYPE
        if is_xmp or kind == b"Exif":
            read += 1
            payload = _payload(content, items, label.item) if read <= MAX_BLOCKS else b""
            # A number says how many bytes stand before the TIFF header.
            exif_at = 4 + int.from_bytes(payload[:4], "big")
            yield from blocks.xmp(payload) if is_xmp else blocks.exif(payload[exif_at:])
        elif kind not in _PICTURES:
            yield Finding(PrivacyFact.APPLICATION_DATA)


def _payload(content: bytes, items: HeifItems, item: int) -> bytes:
    extents = items.extents.get(item, ())[:MAX_BLOCKS]
    return b"".join(content[start : min(end, start + MAX_ITEM_BYTES)] for start, end in extents)


def _find_in_properties(content: bytes, start: int, end: int) -> Iterator[Finding]:
    for container, at, stop in heif_boxes(content, start, end):
        for kind, inner, _ in heif_boxes(content, at, stop) if container == b"ipco" else ():
            if kind in _PROPERTY_FACTS:
                yield Finding(_PROPERTY_FACTS[kind])
            elif kind == b"colr" and content[inner : inner + 4] in _EMBEDDED_PROFILES:
                yield Finding(PrivacyFact.ICC_PROFILE)


def _find_pictures(content: bytes, items: HeifItems) -> Iterator[Finding]:
    """Every picture that is neither the primary one nor its alpha."""
    shown, small = {items.primary}, set()
    for kind, item in items.references:
        if kind == b"thmb":
            small.add(item)
        elif kind == b"auxl" and _is_alpha(content, items, item):
            shown.add(item)
    shown, small = _with_sources(items, shown), _with_sources(items, small)
    for item, kind in items.kinds.items():
        if kind in _PICTURES and item not in shown:
            yield Finding(PrivacyFact.THUMBNAIL if item in small else PrivacyFact.SECOND_PICTURES)


def _with_sources(items: HeifItems, chosen: set[int]) -> set[int]:
    """These items and all that they are put together from, such as the tiles of a grid."""
    found, waiting = set(chosen), list(chosen)
    while waiting:
        sources = set(items.references.get((b"dimg", waiting.pop()), ())) - found
        found |= sources
        waiting += sources
    return found


def _is_alpha(content: bytes, items: HeifItems, item: int) -> bool:
    """By the URN in its `auxC` property; the others are depth, mattes and gain maps."""
    auxiliary = items.find_property(item, b"auxC")
    if auxiliary is None:
        return False
    name = content[auxiliary.start + _AUXILIARY_TYPE_AT : min(auxiliary.end, auxiliary.start + MAX_NAME_BYTES)]
    return name.split(b"\0", 1)[0] in _ALPHAS
