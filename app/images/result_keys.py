"""Keys of transformed pictures in the bucket: the same picture has one key, whatever URL asked for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from app.images.keys import ImageKey
from app.images.recipes import Recipe
from app.images.transforms import Watermark

# Raised when the same recipe begins to give other pictures: every key changes with it.
RESULT_VERSION = 1
# More than the digests of variants have, so that no preset's name makes the two look alike.
DIGEST_CHARACTERS = 20
RESULT_NAME = "t"


def result_key(key: ImageKey, recipe: Recipe, watermark: Watermark | None = None) -> str:
    """Where the result lies: under the image's variants, so that it goes with the image.

    `recipe` is planned from the optimised original and without the watermark, whatever it is made from in the end.
    """
    laid_over = asdict(watermark) if watermark else None
    # Images that differ in their extension alone share the place of their variants.
    text = json.dumps([RESULT_VERSION, key.extension, asdict(recipe), laid_over], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{key.variants_prefix}{RESULT_NAME}-{digest}.{recipe.format.extension}"
