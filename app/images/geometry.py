"""Sizes in integers of pixels."""

from __future__ import annotations


def fit_within(width: int, height: int, max_side: int) -> tuple[int, int]:
    """The size of the picture scaled down, never up, until no side is longer than `max_side`; no side falls below 1."""
    longest = max(width, height)
    if longest <= max_side:
        return width, height
    return max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest))
