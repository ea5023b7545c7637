"""Texts out of metadata, whose encoding is seldom what the standards ask for."""

from __future__ import annotations


def decode_text(value: bytes) -> str:
    """ASCII by the letter of most standards, UTF-8 or Latin-1 in practice."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
