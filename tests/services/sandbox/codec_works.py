"""What the tests let a confined worker render: each picture of a folder, as an upload of it would be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.core.exceptions import ImageError
from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import RenderPlan
from app.images.variants import Crop, VariantSpec
from app.services.decoder.engine import render_picture
from app.services.decoder.vips_library import import_codecs
from app.services.protocols import ignore_variant

LIMITS = PixelLimits(max_pixels=100_000_000, max_side_pixels=30_000)
# Every format that is written, every crop, and a quality that has to be found.
PLAN = RenderPlan(
    max_side_pixels=160,
    variants=(
        VariantSpec("96", ImageFormat.JPEG, 96),
        VariantSpec("96", ImageFormat.AVIF, 96),
        VariantSpec("96", ImageFormat.WEBP, 96, quality=80),
        VariantSpec("square", ImageFormat.WEBP, 48, 48, Crop.ATTENTION, quality=80),
        VariantSpec("middle", ImageFormat.JPEG, 48, 32, Crop.CENTRE, quality=80),
    ),
)


def works_of(material: str) -> dict[str, Callable[[int], str]]:
    """`render <file name>` for each file of a folder; imports what the fork server of the service does."""
    import_codecs()
    return {f"render {path.name}": partial(_render, path.read_bytes()) for path in sorted(Path(material).iterdir())}


def _render(content: bytes, _: int) -> str:
    """What came out, in short: sizes, and a digest of every byte; or the code of the refusal."""
    try:
        structure = inspect_image(content, LIMITS)
        rendered = render_picture(structure, file_size=len(content), plan=PLAN, emit=ignore_variant)
    except ImageError as error:
        return f"refused: {error.code}"
    bodies = (rendered.body, *(variant.body for variant in rendered.variants))
    digest = hashlib.sha256(b"".join(bodies)).hexdigest()
    return f"rendered {rendered.format} {rendered.width}x{rendered.height} and {len(rendered.variants)}: {digest}"
