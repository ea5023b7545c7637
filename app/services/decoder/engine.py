"""One picture in, its optimised original and all its variants out: decoded once, in the calling thread."""

from __future__ import annotations

from collections.abc import Callable

from app.images.records import RenderedImage, RenderPlan, Rendition, Structure
from app.services.decoder.animation import is_kept_moving, render_animation
from app.services.decoder.decoder_errors import error_of
from app.services.decoder.still import render_still
from app.services.decoder.vips_library import load_vips


def render_picture(
    structure: Structure, *, file_size: int, plan: RenderPlan, emit: Callable[[Rendition], None]
) -> RenderedImage:
    """See `ImageProcessor.render`; blocks until done. Runs in a confined worker: it opens no file and no socket.

    Raises:
        MemoryError: there is none left; the process should end.
    """
    vips = load_vips()
    render = render_animation if is_kept_moving(structure, plan) else render_still
    try:
        return render(structure, file_size=file_size, plan=plan, emit=emit)
    except vips.Error as error:
        raise error_of(f"{error.message} {error.detail}") from error
