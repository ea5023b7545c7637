"""`ImageProcessor` in threads of this process, without any confinement: for tests of the engine alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from app.images.recipes import Recipe, TransformedImage
from app.images.records import RenderedImage, RenderPlan, Rendition, Structure
from app.services.decoder.engine import render_picture
from app.services.decoder.transforming import transform_picture
from app.services.decoder.vips_library import check_not_forked
from app.services.protocols import ignore_variant


class ThreadProcessor:
    """Implements `ImageProcessor`. libvips releases the GIL, so the event loop stays free."""

    def __init__(self, *, threads: int) -> None:
        self._threads = threads
        self._executor = self._make_executor()

    async def render(
        self,
        structure: Structure,
        *,
        file_size: int,
        plan: RenderPlan,
        on_variant: Callable[[Rendition], None] = ignore_variant,
        waited_seconds: float = 0.0,  # noqa: ARG002 - threads cannot be stopped, so there is no limit of time
    ) -> RenderedImage:
        """See `ImageProcessor.render`.

        Raises:
            InternalError: this process was forked after its parent had rendered pictures.
        """
        check_not_forked()
        loop = asyncio.get_running_loop()

        def emit(finished: Rendition) -> None:
            loop.call_soon_threadsafe(on_variant, finished)

        job = partial(render_picture, structure, file_size=file_size, plan=plan, emit=emit)
        return await loop.run_in_executor(self._executor, job)

    async def transform(
        self,
        structure: Structure,
        recipe: Recipe,
        *,
        overlay: Structure | None = None,
        waited_seconds: float = 0.0,  # noqa: ARG002 - as above
    ) -> TransformedImage:
        """See `ImageProcessor.transform`.

        Raises:
            InternalError: this process was forked after its parent had rendered pictures.
        """
        check_not_forked()
        job = partial(transform_picture, structure, recipe, overlay=overlay)
        return await asyncio.get_running_loop().run_in_executor(self._executor, job)

    def close(self) -> None:
        """Waits for what is being rendered, then ends the threads."""
        self._executor.shutdown()
        self._executor = self._make_executor()

    def _make_executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="images")
