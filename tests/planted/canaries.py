"""Canaries, each naming the field it was planted in, and the search for them in whatever comes out.

content = canary("jpeg exif artist").encode()
assert canaries_in(content) == {"jpegexifartist"}
"""

from __future__ import annotations

import base64
import re
import zlib

MARK = "HcCanary"
# The eight bytes of a rational number, where nothing but numbers can stand.
MARKED_NUMBER = MARK.encode()
_FORM = re.compile(f"{MARK.lower()}((?:(?!{MARK.lower()})[a-z])*)")
_BASE64_FORMS = [base64.b64encode(bytes(shift) + MARK.encode())[-(-shift * 4 // 3) : -4] for shift in range(3)]
_HEX_FORM = MARK.encode().hex().encode()
_ZLIB_HEADER = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_MAX_UNPACKED = 4_000_000


def canary(where: str) -> str:
    """The canary of one field, which names the field in letters."""
    return MARK + "".join(letter for letter in where.lower() if letter.isalpha()) + "0"


def canaries_in(content: bytes) -> set[str]:
    """The fields whose canaries stand in these bytes in any form: as text, UTF-16, base 64, hexadecimal or deflated."""
    found = _plain_canaries(content)
    for header in _ZLIB_HEADER.finditer(content):
        try:
            found |= _plain_canaries(zlib.decompressobj().decompress(content[header.start() :], _MAX_UNPACKED))
        except zlib.error:
            continue
    return found


def _plain_canaries(content: bytes) -> set[str]:
    found: set[str] = set()
    for text in (content, content[::2], content[1::2]):
        found.update(_FORM.findall(text.decode("latin-1").lower()))
    lowered = content.lower()
    if _HEX_FORM in lowered:
        found.add("in hexadecimal")
    if any(form in content for form in _BASE64_FORMS):
        found.add("in base 64")
    return found
