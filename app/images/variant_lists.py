"""The variants of an image as its facts hold them: one short text, from which all that is shown of them is read back.

1920-2b9db108.avif:1920x1440:183920 1920-77aa01ce.jpg:1920x1440:301144
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.images.formats import STORED_FORMATS, ImageFormat
from app.images.records import Rendition
from app.images.variants import DIGEST_CHARACTERS

_FORMATS = {image_format.extension: image_format for image_format in STORED_FORMATS}
_ENTRY = re.compile(
    rf"([a-z0-9][a-z0-9_]{{0,31}}-[0-9a-f]{{{DIGEST_CHARACTERS}}}\.(?:{'|'.join(_FORMATS)}))"
    r":([1-9]\d{0,4})x([1-9]\d{0,4}):(\d{1,12})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ListedVariant:
    """A stored variant: its file name under the image's variants, its size in pixels and in bytes."""

    file_name: str
    width: int
    height: int
    file_size: int

    @property
    def name(self) -> str:
        """The width or preset that it was made for."""
        return self.file_name.rpartition("-")[0]

    @property
    def format(self) -> ImageFormat:
        return _FORMATS[self.file_name.rpartition(".")[2]]


def list_variants(renditions: Iterable[Rendition]) -> tuple[ListedVariant, ...]:
    """The variants in the order given, each file once: two specs may end as the same one."""
    listed = (ListedVariant(each.spec.file_name, each.width, each.height, len(each.body)) for each in renditions)
    return tuple({variant.file_name: variant for variant in listed}.values())


def format_variants(variants: Iterable[ListedVariant]) -> str:
    """One text of ASCII without control characters; empty without variants."""
    return " ".join(f"{each.file_name}:{each.width}x{each.height}:{each.file_size}" for each in variants)


def parse_variants(text: str) -> tuple[ListedVariant, ...]:
    """The variants that a text lists; entries that make no sense are passed over, so that no file name is a path."""
    matches = (_ENTRY.fullmatch(entry) for entry in text.split(" "))
    return tuple(ListedVariant(match[1], int(match[2]), int(match[3]), int(match[4])) for match in matches if match)
