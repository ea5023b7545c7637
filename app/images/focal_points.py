"""The focal point that a caller names: two fractions, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from app.core.exceptions import InvalidRequest
from app.images.records import FocalPoint

# Finer than a pixel of any picture that is stored.
DECIMALS = 4


def parse_focal_point(fractions: Sequence[float]) -> FocalPoint:
    """The point at `(x, y)`: fractions of the upright width and height from the top left, rounded to four decimals.

    Raises:
        InvalidRequest: they are not two numbers from 0 to 1. Repeating does not help.
    """
    if not isinstance(fractions, tuple | list) or len(fractions) != 2 or not all(map(_is_fraction, fractions)):
        raise InvalidRequest("A focal point is two numbers from 0 to 1: fractions of width and height.")
    # Adding zero makes a plain zero of a negative one.
    x, y = (round(float(fraction), DECIMALS) + 0.0 for fraction in fractions)
    return FocalPoint(x, y)


def _is_fraction(value: object) -> bool:
    # Callers that are not type-checked send texts and Booleans.
    return type(value) in {int, float} and math.isfinite(value) and 0 <= value <= 1  # type: ignore[arg-type,operator]
