"""The shapes of batches of URLs on the wire, with the examples that the API's documentation shows."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, FailFast, Field, StrictBool, StrictInt, StrictStr

from app.schemas.images import EXAMPLE_KEY

_EXAMPLE_URL = f"https://images.example.com/{EXAMPLE_KEY}?X-Amz-Algorithm=AWS4-HMAC-SHA256"

# The bounds are told, not enforced here: the service refuses with codes of its own. A body of half a megabyte could
# hold a hundred thousand wrong keys: the first one ends it.
_Keys = Annotated[list[StrictStr], FailFast(), Field(json_schema_extra={"maxItems": 1000})]
_Lifetime = Annotated[
    StrictInt | None,
    Field(description="Seconds, by default 3600.", json_schema_extra={"minimum": 1, "maximum": 604_800}),
]


class UrlsRequest(BaseModel):
    """Which images' URLs, and for how long: `expires_in` or `stable`, not both."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keys": [EXAMPLE_KEY], "expires_in": 600}]})

    keys: _Keys
    expires_in: _Lifetime = None
    stable: StrictBool = Field(
        default=False, description="URLs of the current window: the same until it ends, so that browsers keep pictures."
    )


class ImageUrlBatch(BaseModel):
    """A presigned URL per key, and when all of them cease to hold (UTC)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"urls": {EXAMPLE_KEY: _EXAMPLE_URL}, "expires_at": "2024-12-01T15:30:22.000000"}]
        }
    )

    urls: dict[str, str]
    expires_at: str = Field(description="UTC.")
