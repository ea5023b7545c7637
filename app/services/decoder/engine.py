"""`ImageProcessor` on libvips, in a bounded pool of threads of this process."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

from app.images.cleanup import has_clean_copy
from app.images.formats import ImageFormat
from app.images.geometry import fit_within
from app.images.records import RenderedImage, RenderOptions, SourceFacts, Structure
from app.services.decoder.decoding import error_of, open_image
from app.services.decoder.encoding import encode_within
from app.services.decoder.vips_library import check_not_forked, load_vips

_ORIENTATION = "orientation"
_PROFILE = "icc-profile-data"


class VipsProcessor:
    """Implements `ImageProcessor`. libvips releases the GIL, so the event loop stays free."""

    def __init__(self, *, threads: int) -> None:
        self._threads = threads

    @cached_property
    def _executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="images")

    async def render(self, structure: Structure, *, file_size: int, options: RenderOptions) -> RenderedImage:
        """See `ImageProcessor.render`.

        Raises:
            InternalError: this process was forked after its parent had rendered pictures.
        """
        check_not_forked()
        loop = asyncio.get_running_loop()
        job = partial(render_image, structure, file_size=file_size, options=options)
        return await loop.run_in_executor(self._executor, job)


def render_image(structure: Structure, *, file_size: int, options: RenderOptions) -> RenderedImage:
    """See `ImageProcessor.render`; blocks until done."""
    vips = load_vips()
    try:
        return _render(structure, file_size=file_size, options=options)
    except vips.Error as error:
        raise error_of(f"{error.message} {error.detail}") from error


def _render(structure: Structure, *, file_size: int, options: RenderOptions) -> RenderedImage:
    source = open_image(structure, max_side_pixels=options.max_side_pixels)
    is_heic = structure.format is ImageFormat.HEIC
    width, height = (source.width, source.height) if is_heic else (structure.width, structure.height)
    orientation = source.get(_ORIENTATION) if source.get_typeof(_ORIENTATION) else 1
    target = fit_within(width, height, options.max_side_pixels)
    is_unchanged = (
        has_clean_copy(structure)
        and orientation == 1
        and target == (width, height)
        and not source.get_typeof(_PROFILE)
        and source.format == "uchar"
        and source.interpretation in {"srgb", "b-w"}
    )
    # All pixels are decoded here, once, into memory: encodings and rotation read them in any order.
    upright = _resize(source, target).copy_memory().autorot()
    stored = encode_within(upright, structure, is_unchanged=is_unchanged, file_size=file_size, options=options)
    if orientation >= 5:
        width, height = height, width
    return RenderedImage(
        body=stored.body,
        format=stored.format,
        width=stored.width,
        height=stored.height,
        has_alpha=bool(upright.hasalpha()),
        source=SourceFacts(structure.format, width, height, file_size, structure.frames),
    )


def _resize(source: Any, target: tuple[int, int]) -> Any:
    """The picture in exactly this size, in 8-bit sRGB (or grey)."""
    profile = {"export_profile": "srgb"} if source.get_typeof(_PROFILE) else {}
    if source.interpretation == "cmyk" and not profile:
        source = source.colourspace("srgb")
    width, height = target
    image = source.thumbnail_image(width, height=height, size="force", no_rotate=True, **profile)
    if image.interpretation in {"rgb16", "grey16"}:
        image = image.colourspace("srgb" if image.interpretation == "rgb16" else "b-w")
    return image
