"""What decoders say when they fail, in errors of ours."""

from __future__ import annotations

from app.core.exceptions import ImageCorrupt, ImageError, ImageTooComplex, ImageTruncated

# What Pillow and pi-heif raise for files that they cannot read.
PYTHON_DECODER_ERRORS = (OSError, ValueError, RuntimeError, SyntaxError, EOFError, IndexError)
_TRUNCATION_WORDS = ("premature", "truncat", "unexpected end", "end of file", "not enough data")
_MEMORY_WORDS = (
    "out of memory",
    "insufficient memory",
    "memory allocation",
    "unable to allocate",
    "cannot allocate",
    "failed to allocate",
    "bad_alloc",
)


def error_of(message: str) -> ImageError:
    """Our error for what a decoder said."""
    text = message.lower()
    if any(word in text for word in _MEMORY_WORDS):
        return ImageTooComplex()
    return ImageTruncated() if any(word in text for word in _TRUNCATION_WORDS) else ImageCorrupt()
