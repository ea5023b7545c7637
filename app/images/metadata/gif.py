"""What a GIF holds beside its pixels: in its extensions (GIF89a, sections 24 to 26), and behind its end."""

from __future__ import annotations

from collections.abc import Iterator

from app.images.containers.gif import APPLICATION, COMMENT, CONTROL, EXTENSION, PLAIN_TEXT, gif_blocks
from app.images.metadata.blocks import Blocks
from app.images.metadata.findings import Finding, PrivacyFact

_FACTS = {COMMENT: PrivacyFact.COMMENTS, PLAIN_TEXT: PrivacyFact.TEXT}
# An application is named by 11 bytes behind their length.
_NAME = slice(3, 14)
_LOOPS = frozenset({b"NETSCAPE2.0", b"ANIMEXTS1.0"})
_XMP, _PROFILE = b"XMP DataXMP", b"ICCRGBG1012"


def find_in_gif(content: bytes) -> Iterator[Finding]:
    """The findings of every extension, in the order of the file."""
    blocks = Blocks()
    end = 0
    for kind, start, end in gif_blocks(content):
        if kind != EXTENSION or content[start + 1] == CONTROL:
            continue
        if content[start + 1] == APPLICATION:
            yield from _find_in_application(content[start:end], blocks)
        else:
            yield Finding(_FACTS.get(content[start + 1], PrivacyFact.APPLICATION_DATA))
    if end < len(content):
        yield Finding(PrivacyFact.TRAILING_BYTES)


def _find_in_application(block: bytes, blocks: Blocks) -> Iterator[Finding]:
    name = block[_NAME]
    if name == _XMP:
        # The packet stands there as it is; a ramp of lengths behind it leads any reader to the end.
        yield from blocks.xmp(block[_NAME.stop :])
    elif name == _PROFILE:
        yield Finding(PrivacyFact.ICC_PROFILE)
    elif name not in _LOOPS:
        yield Finding(PrivacyFact.APPLICATION_DATA)
