"""A real browser shows what was stored."""

from __future__ import annotations

import functools
import io
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.bootstrap import Services
from app.core.config import Settings
from app.entrypoints.http.app import create_app
from app.services.results import UploadResult
from tests.running_service import RunningService, run_service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no browser: install chromium (Debian package `chromium`)")

PAGE = """<!doctype html><title>waiting</title><pre id="report"></pre>
<img id="served" src="{served}"><img id="stored" src="{stored}" crossorigin="anonymous">
<script>
addEventListener("load", async () => {{
  const sizes = id => {{ const i = document.getElementById(id); return [i.naturalWidth, i.naturalHeight]; }};
  const canvas = document.createElement("canvas");
  const stored = document.getElementById("stored");
  canvas.width = stored.naturalWidth; canvas.height = stored.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(stored, 0, 0);
  const answer = await fetch("{stored}");
  document.getElementById("report").textContent = JSON.stringify({{
    served: sizes("served"), stored: sizes("stored"),
    corner: Array.from(context.getImageData(5, 5, 1, 1).data), etag: answer.headers.get("etag"),
  }});
  document.title = "done";
}});
</script>
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Services, RunningService]]:
    services = Services(Settings.load(_env_file=None, heaven_home=tmp_path / ".heaven"))
    with run_service(create_app(services)) as service:
        yield services, service
    services.close()


def lying_on_its_side() -> bytes:
    """A 60 × 40 JPEG whose EXIF says "turn me by 90 degrees": upright its top left corner is blue."""
    image = Image.new("RGB", (60, 40), (240, 240, 240))
    image.paste((20, 40, 220), (0, 20, 30, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


def look(page_url: str, profile: Path) -> dict[str, Any]:
    """What the page reports after it has loaded everything."""
    assert CHROMIUM
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={profile}", "--virtual-time-budget=10000", "--timeout=20000", "--dump-dom", page_url,
    ]  # fmt: skip
    environment = {"PATH": os.environ["PATH"], "HOME": str(profile)}
    dom = subprocess.run(command, env=environment, capture_output=True, timeout=90, check=True, text=True).stdout
    report = re.search(r'<pre id="report">(.*?)</pre>', dom)
    assert report, dom
    assert report[1], dom
    found: dict[str, Any] = json.loads(report[1])
    return found


@needs_chromium
async def test_browser_shows_the_uploaded_picture_upright(
    running: tuple[Services, RunningService], tmp_path: Path
) -> None:
    """A picture uploaded on its side stands upright in a browser, from the service and from the store's public URL."""
    services, service = running
    image: UploadResult = await services.image_service.upload_image(lying_on_its_side(), "user", 1)
    site = tmp_path / "site"
    site.mkdir()
    served = f"{service.url}/api/v1/files/{image['s3_key']}"
    (site / "index.html").write_text(PAGE.format(served=served, stored=image["url"]))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        report = look(f"http://127.0.0.1:{web.server_port}/index.html", tmp_path / "profile")
        web.shutdown()

    assert report["served"] == [40, 60]
    assert report["stored"] == [40, 60]
    assert report["etag"] == image["etag"]
    red, green, blue = report["corner"][:3]
    assert blue > 180 > 100 > max(red, green)
