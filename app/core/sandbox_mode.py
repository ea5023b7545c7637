"""How far the decoders are to be confined; apart from the settings, so that workers need not load those."""

from __future__ import annotations

from enum import StrEnum


class Sandbox(StrEnum):
    """How the decoders are confined."""

    STRICT = "strict"
    AUTO = "auto"
    OFF = "off"
