"""A real browser shows the snippet of a manifest: the best format it knows, in a size that fits its window."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import Services
from app.core.config import Settings
from app.services.results import Manifest
from tests.browser.test_picture_in_browser import look, needs_chromium
from tests.pictures import make_jpeg

# The frame is the window: its viewport is as wide as the test says, whatever the browser's own is.
FRAME = """<!doctype html><meta name="viewport" content="width=device-width"><body style="margin:0">
<div id="room">{picture}</div><p id="below">below</p>
<script>
const image = document.querySelector("img");
const before = document.getElementById("room").offsetHeight;
const report = () => parent.postMessage({{
  source: image.currentSrc, shown: [image.clientWidth, image.clientHeight],
  before: before, after: document.getElementById("room").offsetHeight, images: document.images.length,
}}, "*");
if (image.complete && image.naturalWidth) report(); else image.addEventListener("load", report);
</script>
"""
PAGE = """<!doctype html><title>waiting</title><pre id="report"></pre>
<script>
addEventListener("message", event => {{
  document.getElementById("report").textContent = JSON.stringify(event.data);
}});
</script>
<iframe src="frame.html" style="width:{width}px;height:600px;border:0"></iframe>
"""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves the site of a test."""

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving_site(folder: Path) -> Iterator[str]:
    """The folder's URL."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """The service on its own embedded store, in AVIF and JPEG, in widths of 320, 640 and 960."""
    types = {"user": {"prefix": "users"}, "document": {"prefix": "documents", "visibility": "private"}}
    settings = Settings.load(
        _env_file=None, heaven_home=tmp_path / ".heaven", image_types=types, variant_widths="320,640,960"
    )
    services = Services(settings)
    services.connect()
    yield services
    services.close()


def show(manifest: Manifest, tmp_path: Path, *, width: int) -> dict[str, Any]:
    """What the browser made of the snippet in a window of this width."""
    site = tmp_path / f"site-{width}"
    site.mkdir()
    (site / "frame.html").write_text(FRAME.format(picture=manifest["picture"]), encoding="utf-8")
    (site / "index.html").write_text(PAGE.format(width=width))
    with serving_site(site) as url:
        return look(f"{url}/index.html", tmp_path / f"profile-{width}")


@needs_chromium
@pytest.mark.parametrize("image_type", ["user", "document"])
async def test_snippet_in_windows_of_two_widths(services: Services, tmp_path: Path, image_type: str) -> None:
    """The browser takes the AVIF that is just large enough, in its right shape, and nothing moves when it comes."""
    photo = make_jpeg(1200, 800)
    stored = await services.image_service.upload_image(photo, image_type, "<i>\"'&lt;", file_name='"><script>')
    manifest = await services.image_service.get_manifest(stored["s3_key"])
    for width, expected in ((300, 320), (620, 640)):
        report = show(manifest, tmp_path, width=width)
        assert f"/{expected}-" in report["source"]
        assert ".avif" in report["source"]
        assert report["shown"][0] == width
        assert report["images"] == 1
        # Under a picture that stands in a line of text some pixels stay empty.
        for height in (report["shown"][1], report["before"], report["after"]):
            assert abs(height - width * 800 / 1200) <= 8
