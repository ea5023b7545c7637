"""Images for tests of manifests: their facts, and their manifests with URLs that are easy to read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from app.images.facts import Facts
from app.images.formats import ImageFormat
from app.images.keys import parse_image_key
from app.images.manifests import Manifest, ManifestUrls, build_manifest, object_keys_of
from app.images.variant_lists import parse_variants

STEM = "users/123/20241201_143022_a1b2c3d4"
EXPIRES_AT = datetime(2024, 12, 1, 16, tzinfo=UTC)


def facts_of(*variants: str, **changes: Any) -> Facts:
    """A photo of 2560 × 1920 with variants written as "640.avif:640x480" or "thumb.jpg:320x320"."""
    listed = " ".join(_entry(variant) for variant in variants)
    values: dict[str, Any] = {
        "width": 2560,
        "height": 1920,
        "format": ImageFormat.JPEG,
        "has_alpha": False,
        "is_animated": False,
        "thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
        "dominant_color": "#7a8c99",
        "variants": parse_variants(listed),
    }
    return Facts(**(values | changes))


def _entry(text: str) -> str:
    file_name, _, size = text.partition(":")
    name, _, extension = file_name.rpartition(".")
    return f"{name}-2b9db108.{extension}:{size}:1000"


def manifest_of(
    facts: Facts, *, extension: str = "jpg", folder: str = "", sizes: str | None = None, query: str = ""
) -> Manifest:
    """The manifest with `cdn/<object key without its folder>` as URLs; with a `query` they are signed."""
    key = parse_image_key(f"{STEM}.{extension}", prefixes={"users"})
    urls = {name: f"cdn/{folder}{name.rpartition('/')[2]}{query}" for name in object_keys_of(key, facts)}
    expires_at = EXPIRES_AT if query else None
    visibility = "private" if query else "public"
    return build_manifest(key, facts, urls=ManifestUrls(urls, expires_at), visibility=visibility, sizes=sizes)


def srcset_of(text: str) -> list[tuple[str, int]]:
    """URL and width of each candidate, in their order, as a browser reads them."""
    pairs = [candidate.split(" ") for candidate in text.split(", ")] if text else []
    return [(url, int(width.removesuffix("w"))) for url, width in pairs]


def short(text: str) -> list[str]:
    """The candidates without the digests of their specs and the rest of the URL."""
    names = (url.partition("?")[0].rpartition("/")[2].replace("-2b9db108", "") for url, _ in srcset_of(text))
    return [f"{name} {width}" for name, (_, width) in zip(names, srcset_of(text), strict=True)]


class Markup(HTMLParser):
    """The elements of a snippet, with their attributes as a browser has them."""

    def __init__(self, snippet: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(snippet)
        self.close()

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]

    @property
    def image(self) -> dict[str, str | None]:
        return next(attributes for tag, attributes in self.elements if tag == "img")
