"""HEIF and AVIF: what the `meta` box says of the items of a file, and whether their bytes are there.

ISO/IEC 14496-12, clauses 8.11 (meta, pitm, iloc, iinf, iref); ISO/IEC 23008-12, clause 9.3 (iprp).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported, ImageTruncated
from app.images.containers.isobmff import Fields, heif_boxes
from app.images.containers.reading import PartCounter

_FULL_BOX_BYTES = 4
_IN_FILE, _IN_META = 0, 1
# Each may stand once; which one a decoder would take of two is not ours to guess.
_TABLES = frozenset({b"hdlr", b"pitm", b"iinf", b"iloc", b"iref", b"iprp", b"idat"})
_NEEDED_TABLES = frozenset({b"hdlr", b"pitm", b"iinf", b"iloc", b"iprp"})
_OFFSET_SIZES = frozenset({0, 4, 8})


@dataclass(frozen=True, slots=True)
class HeifProperty:
    """A property of an item: its type, and where its payload lies."""

    kind: bytes
    start: int
    end: int
    is_essential: bool


@dataclass(slots=True)
class HeifItems:
    """The items of one file by their ids: types, extents as (start, end) in the file, properties, and references."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    extents: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    properties: dict[int, list[HeifProperty]] = field(default_factory=dict)
    # By type and referring item, in the order of the file.
    references: dict[tuple[bytes, int], list[int]] = field(default_factory=dict)

    def payload(self, content: bytes, item: int) -> memoryview:
        """The bytes of an item; a copy only where they lie in several places."""
        places = [memoryview(content)[start:end] for start, end in self.extents.get(item, ())]
        return places[0] if len(places) == 1 else memoryview(b"".join(places))

    def find_property(self, item: int, kind: bytes) -> HeifProperty | None:
        """The item's first property of a type."""
        return next((each for each in self.properties.get(item, ()) if each.kind == kind), None)


def read_heif_items(content: bytes) -> HeifItems:
    """The items of a file whose every box is whole.

    Raises:
        ImageTruncated: a box, or the bytes that an item points at, reach past the end.
        ImageCorrupt: the tables are incomplete, double or contradict one another.
        ImageFormatUnsupported: there is a sequence, and no picture beside it.
    """
    metas = []
    has_movie = False
    for kind, start, end in heif_boxes(content, 0, len(content)):
        has_movie |= kind == b"moov"
        if kind == b"meta":
            metas.append((start + _FULL_BOX_BYTES, end))
    if not metas and has_movie:
        raise ImageFormatUnsupported("The file is a sequence of pictures without a still one, which is not accepted.")
    if len(metas) != 1:
        raise ImageCorrupt
    return _read_tables(content, *metas[0])


def _read_tables(content: bytes, start: int, end: int) -> HeifItems:
    tables: dict[bytes, tuple[int, int]] = {}
    for kind, at, stop in heif_boxes(content, start, end):
        if kind in _TABLES:
            if kind in tables:
                raise ImageCorrupt
            tables[kind] = at, stop
    if not tables.keys() >= _NEEDED_TABLES:
        raise ImageCorrupt
    handler_start = tables[b"hdlr"][0] + 8
    if content[handler_start : handler_start + 4] != b"pict":
        raise ImageCorrupt
    items = HeifItems()
    fields = Fields(content, *tables[b"pitm"])
    items.primary = fields.take(4 if fields.version_and_flags()[0] else 2)
    _read_kinds(content, *tables[b"iinf"], items)
    _read_extents(content, tables[b"iloc"], tables.get(b"idat", (0, 0)), items)
    _read_properties(content, *tables[b"iprp"], items)
    if b"iref" in tables:
        _read_references(content, *tables[b"iref"], items)
    return items


def _read_kinds(content: bytes, start: int, end: int, items: HeifItems) -> None:
    fields = Fields(content, start, end)
    fields.take(4 if fields.version_and_flags()[0] else 2)
    for kind, at, stop in heif_boxes(content, fields.at, end):
        entry = Fields(content, at, stop)
        version, _ = entry.version_and_flags()
        # Items of versions 0 and 1 have no type and are no pictures.
        if kind != b"infe" or version < 2:
            continue
        item = entry.take(4 if version == 3 else 2)
        entry.take(2)
        if item in items.kinds:
            raise ImageCorrupt
        items.kinds[item] = entry.take(4).to_bytes(4, "big")


def _read_extents(content: bytes, table: tuple[int, int], inline: tuple[int, int], items: HeifItems) -> None:
    fields = Fields(content, *table)
    version, _ = fields.version_and_flags()
    sizes = fields.take(2)
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version else 0
    if version > 2 or not {offset_bytes, length_bytes, base_bytes, index_bytes} <= _OFFSET_SIZES:
        raise ImageCorrupt
    wide = 4 if version == 2 else 2
    parts = PartCounter()
    for _ in range(fields.take(wide)):
        item = fields.take(wide)
        method = fields.take(2) & 15 if version else _IN_FILE
        fields.take(2)
        base = fields.take(base_bytes)
        count = fields.take(2)
        parts.count(1 + count)
        if item in items.extents or method not in {_IN_FILE, _IN_META}:
            raise ImageCorrupt
        origin, limit = inline if method == _IN_META else (0, len(content))
        extents = items.extents[item] = []
        for _ in range(count):
            fields.take(index_bytes)
            first = origin + base + fields.take(offset_bytes)
            # A length of zero means all that follows.
            length = fields.take(length_bytes) or limit - first
            if first + length > limit or length < 0:
                raise ImageTruncated
            extents.append((first, first + length))


def _read_properties(content: bytes, start: int, end: int, items: HeifItems) -> None:
    boxes = list(heif_boxes(content, start, end))
    containers = [(at, stop) for kind, at, stop in boxes if kind == b"ipco"]
    if len(containers) != 1:
        raise ImageCorrupt
    known = list(heif_boxes(content, *containers[0]))
    parts = PartCounter()
    for kind, at, stop in boxes:
        if kind != b"ipma":
            continue
        fields = Fields(content, at, stop)
        version, flags = fields.version_and_flags()
        item_bytes, index_bytes, essential = 4 if version else 2, 2 if flags & 1 else 1, 0x8000 if flags & 1 else 0x80
        for _ in range(fields.take(4)):
            item, count = fields.take(item_bytes), fields.take(1)
            parts.count(1 + count)
            properties = items.properties.setdefault(item, [])
            for _ in range(count):
                value = fields.take(index_bytes)
                index = value & essential - 1
                if index > len(known):
                    raise ImageCorrupt
                if index:
                    properties.append(HeifProperty(*known[index - 1], bool(value & essential)))


def _read_references(content: bytes, start: int, end: int, items: HeifItems) -> None:
    fields = Fields(content, start, end)
    item_bytes = 4 if fields.version_and_flags()[0] else 2
    parts = PartCounter()
    for kind, at, stop in heif_boxes(content, fields.at, end):
        entry = Fields(content, at, stop)
        item, count = entry.take(item_bytes), entry.take(2)
        parts.count(count)
        targets = items.references.setdefault((kind, item), [])
        targets += [entry.take(item_bytes) for _ in range(count)]
