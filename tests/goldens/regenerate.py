"""Writes the goldens anew (`python -m tests.goldens.regenerate`): look at each picture before it is committed."""

from __future__ import annotations

from pathlib import Path

from tests.goldens.cases import cases, rendition_of

FOLDER = Path(__file__).parent / "pictures"
COMMAND = "python -m tests.goldens.regenerate"


def main() -> None:
    """Every golden, as a PNG."""
    FOLDER.mkdir(exist_ok=True)
    for name, case in cases().items():
        rendition_of(case).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
