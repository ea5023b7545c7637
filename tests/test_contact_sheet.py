"""The command that draws the contact sheet of the documentation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.pictures import make_jpeg

COMMAND = Path(__file__).parents[1] / "docs" / "pictures" / "draw_contact_sheet.py"
PUBLISHED = COMMAND.with_name("contact_sheet.webp")
MAX_BYTES = 300_000


def test_contact_sheet_of_a_photo(tmp_path: Path) -> None:
    """Whoever runs the documented command gets a sheet with every variant of the photo that was named."""
    photo, target = tmp_path / "photo.jpg", tmp_path / "sheet.webp"
    photo.write_bytes(make_jpeg(800, 600, orientation=6))

    drawn = subprocess.run(
        [sys.executable, COMMAND, "--photo", photo, "--target", target], capture_output=True, text=True, check=False
    )

    assert drawn.returncode == 0, drawn.stderr
    # The original, and 320, thumb, card and cover in two formats: 640 and more are wider than the upright photo.
    assert "9 pictures" in drawn.stdout
    with Image.open(target) as sheet:
        assert sheet.format == "WEBP"
        assert sheet.width == 1600


def test_published_contact_sheet_is_light() -> None:
    """The sheet in the documentation loads quickly."""
    assert PUBLISHED.stat().st_size <= MAX_BYTES
