"""The `<picture>` snippet of a manifest: HTML with everything escaped and room kept for the picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

# The room that width and height keep shrinks with a narrow page, and keeps its shape.
_FITTING = "max-width:100%;height:auto"


def write_picture(
    sources: Iterable[Mapping[str, object]],
    image: Mapping[str, str],
    *,
    size: tuple[int | None, int | None],
    background: str | None,
) -> str:
    """A `<picture>` of these `<source>`s around an `<img>`, loaded lazily; attributes that are empty are left out.

    `image` holds the `<img>`'s own attributes; `size` is in pixels, `background` a CSS colour. The `alt` is empty, as
    for pictures that only decorate: the page replaces it.
    """
    width, height = size
    style = _FITTING if background is None else f"{_FITTING};background-color:{background}"
    attributes = {
        **{name: value for name, value in image.items() if value},
        **({"width": width, "height": height} if width and height else {}),
        "alt": "",
        "loading": "lazy",
        "decoding": "async",
        "style": style,
    }
    lines = [*(f"  <source{_write(source)}>" for source in sources), f"  <img{_write(attributes)}>"]
    return "\n".join(["<picture>", *lines, "</picture>"])


def _write(attributes: Mapping[str, object]) -> str:
    return "".join(f' {name}="{escape(str(value))}"' for name, value in attributes.items())
