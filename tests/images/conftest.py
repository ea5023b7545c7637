"""How hypothesis runs here: no deadline per example, for shared machines stall, and no files left behind."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("suite", deadline=None, database=None)
settings.load_profile("suite")
