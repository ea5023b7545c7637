"""The shapes of manifests on the wire, with the examples that the API's documentation shows."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_KEY = "users/123/20241201_143022_a1b2c3d4.jpg"
_URL = "https://images.example.com"
_VARIANT_URL = f"{_URL}/variants/users/123/20241201_143022_a1b2c3d4"
_SIZES = "(max-width: 2560px) 100vw, 2560px"
_AVIF = f"{_VARIANT_URL}/640-2b9db108.avif 640w, {_VARIANT_URL}/1280-5a3c20ff.avif 1280w"
_JPEG = f"{_VARIANT_URL}/640-77aa01ce.jpg 640w, {_VARIANT_URL}/1280-90b1e6d4.jpg 1280w, {_URL}/{_KEY} 2560w"

EXAMPLE_MANIFEST: dict[str, Any] = {
    "s3_key": _KEY,
    "width": 2560,
    "height": 1920,
    "alt": "",
    "placeholder": {
        "thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
        "data_uri": "data:image/png;base64,iVBORw0KGgo",
        "dominant_color": "#7a8c99",
    },
    "sources": [
        {"type": "image/avif", "srcset": _AVIF, "sizes": _SIZES},
        {"type": "image/jpeg", "srcset": _JPEG, "sizes": _SIZES},
    ],
    "src": f"{_VARIANT_URL}/1280-90b1e6d4.jpg",
    "srcset": _JPEG,
    "sizes": _SIZES,
    "presets": {
        "thumb": {
            "width": 320,
            "height": 320,
            "sources": [
                {
                    "type": "image/jpeg",
                    "srcset": f"{_VARIANT_URL}/thumb-2b9db108.jpg 320w",
                    "sizes": "(max-width: 320px) 100vw, 320px",
                }
            ],
            "src": f"{_VARIANT_URL}/thumb-2b9db108.jpg",
        }
    },
    "picture": '<picture>\n  <img src="…" width="2560" height="1920" alt="" loading="lazy">\n</picture>',
    "visibility": "public",
    "expires_at": None,
}


class Source(BaseModel):
    """A `<source>`; `srcset` ascends by the true widths."""

    type: str = Field(description="MIME type.")
    srcset: str
    sizes: str


class Placeholder(BaseModel):
    """What to show before the picture has come; what an image does not tell is null."""

    thumbhash: str | None = Field(description="ThumbHash in base64 without padding.")
    data_uri: str | None = Field(description="The same as a PNG, at most 1,024 characters.")
    dominant_color: str | None = Field(description="#rrggbb.")


class PresetManifest(BaseModel):
    """A preset's rendition, in each format."""

    width: int
    height: int
    sources: list[Source] = Field(description="Best format first.")
    src: str = Field(description="In the format that most browsers show.")


class Manifest(BaseModel):
    """All that `<img>` and `<picture>` need of one image. The URLs of private images are signed."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_MANIFEST]})

    s3_key: str
    width: int | None = Field(description="Of the stored original.")
    height: int | None
    alt: str = Field(description="Empty: what the picture means only the page knows.")
    placeholder: Placeholder
    sources: list[Source] = Field(description="Best format first; crops are in `presets`.")
    src: str = Field(description="For `<img>`: the width nearest to 1280, in a format that every browser shows.")
    srcset: str = Field(description="For `<img>`; empty where the image's width is not known.")
    sizes: str
    presets: dict[str, PresetManifest]
    picture: str = Field(description="HTML, escaped.")
    visibility: str
    expires_at: str | None = Field(description="UTC, when the signed URLs end; null for public images.")


class ManifestRequest(BaseModel):
    """Which images, and how wide they are shown."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"keys": [_KEY], "sizes": "(max-width: 600px) 100vw, 50vw"}]}
    )

    keys: list[str] = Field(description="At most 100.", examples=[[_KEY]])
    sizes: str | None = Field(None, description="In place of `(max-width: Wpx) 100vw, Wpx`.", examples=["50vw"])


class Manifests(BaseModel):
    """A manifest per key; null where there is no such image, or none that the caller may see."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"manifests": {_KEY: EXAMPLE_MANIFEST}}]})

    manifests: dict[str, Manifest | None]
