"""Changes to a finished picture: blur, sharpening, canvas, background and watermark. Pixels are 8-bit sRGB or grey."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.images.geometry import Size
from app.images.recipes import Overlay

_MOST = 255
# A wider blur is made in fewer pixels, where it has this sigma at least: nobody sees the difference, and its cost would
# grow with the sigma.
_WIDE_SIGMA = 2.0
# By itself libvips cuts the bell off where it is a fifth as high as in its middle, and in whole numbers it changes the
# brightness of even areas by up to 7 of 255.
_EXACT = {"min_ampl": 0.02, "precision": "float"}


def blurred(picture: Any, sigma: float) -> Any:
    """A Gaussian blur, what is transparent weighing nothing; `sigma` in pixels."""
    shrink = int(sigma / _WIDE_SIGMA)
    if shrink <= 1:
        return _weighed(picture, lambda pixels: _soft(pixels, sigma))
    size = picture.width, picture.height
    small = max(1, size[0] // shrink), max(1, size[1] // shrink)

    def blur_small(pixels: Any) -> Any:
        return _resized(_soft(_resized(pixels, small), sigma * small[0] / size[0]), size)

    return _weighed(picture, blur_small)


def sharpened(picture: Any, sigma: float) -> Any:
    """An unsharp mask: what a blur of `sigma` pixels would take away is added once more; alpha stays as it is."""
    soft = blurred(picture, sigma)
    # Out of range is cut off.
    sharp = (picture * 2 - soft).cast("uchar").copy(interpretation=picture.interpretation)
    if not picture.hasalpha():
        return sharp
    last = picture.bands - 1
    return sharp[:last].bandjoin(picture[last])


def laid_on_canvas(picture: Any, canvas: Size, background: str | None) -> Any:
    """The picture in the middle of a canvas of `background`, or of nothing where that is None."""
    if background is None:
        picture = picture if picture.hasalpha() else picture.bandjoin(_MOST)
        colour = [0] * picture.bands
    else:
        picture, colour = _with_colour(picture, background)
        colour += [_MOST] * (picture.bands - len(colour))
    left, top = (canvas[0] - picture.width) // 2, (canvas[1] - picture.height) // 2
    return picture.embed(left, top, *canvas, extend="background", background=colour)


def opaque_on(picture: Any, background: str) -> Any:
    """The picture with the colour behind whatever shines through."""
    if not picture.hasalpha():
        return picture
    picture, colour = _with_colour(picture, background)
    return picture.flatten(background=colour)


def with_overlay(picture: Any, mark: Any, overlay: Overlay) -> Any:
    """The picture with the mark, in its size, over it; a picture without alpha stays so."""
    place = overlay.left, overlay.top
    under = _coloured(picture.crop(*place, overlay.width, overlay.height))
    mark = _coloured(mark)
    mark = mark if mark.hasalpha() else mark.bandjoin(_MOST)
    if overlay.opacity < 100:
        alpha = (mark[3] * (overlay.opacity / 100)).rint().cast("uchar")
        mark = mark[:3].bandjoin(alpha)
    laid = under.composite2(mark, "over").rint().cast("uchar")
    laid = laid if picture.hasalpha() else laid[:3]
    return _coloured(picture).insert(laid, *place)


def _soft(pixels: Any, sigma: float) -> Any:
    return pixels.gaussblur(sigma, **_EXACT).rint().cast("uchar")


def _resized(pixels: Any, size: Size) -> Any:
    """Each band by itself: for pixels that are weighed already, or have no alpha."""
    return pixels.resize(size[0] / pixels.width, vscale=size[1] / pixels.height)


def _weighed(picture: Any, change: Callable[[Any], Any]) -> Any:
    if not picture.hasalpha():
        return change(picture)
    weighed = picture.premultiply().rint().cast("uchar")
    return change(weighed).unpremultiply().rint().cast("uchar")


def _with_colour(picture: Any, background: str) -> tuple[Any, list[int]]:
    """The picture with as many colours as the background needs, and that in as many."""
    red, green, blue = bytes.fromhex(background)
    if red == green == blue and picture.bands < 3:
        return picture, [red]
    return _coloured(picture), [red, green, blue]


def _coloured(picture: Any) -> Any:
    return picture if picture.bands >= 3 else picture.colourspace("srgb")
