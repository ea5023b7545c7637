"""Fetching a URL as a stranger does."""

from __future__ import annotations

import urllib.error
import urllib.request


def fetch(url: str) -> tuple[int, bytes]:
    """Status and body of the answer, whatever the status."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
