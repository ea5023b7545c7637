"""What the peers need, installed into folders of the benchmarks' own under build/: never into the project."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import BENCH_NODE, BENCH_VENV, IPX_NODE, THUMBOR_VENV

_PYTHON_PACKAGES = ("ssimulacra2", "fastapi", "uvicorn[standard]", "python-multipart", "boto3", "pillow")
_NODE_PACKAGES = ("sharp", "fastify", "@fastify/multipart", "@aws-sdk/client-s3")


def install_python() -> None:
    """The judge and the FastAPI service, in a virtual environment."""
    _install_python(BENCH_VENV, _PYTHON_PACKAGES)


def install_thumbor() -> None:
    """thumbor, apart from the others because it says which Pillow it takes."""
    _install_python(THUMBOR_VENV, ("thumbor",))


def install_node() -> None:
    """sharp and the Node service."""
    _install_node(BENCH_NODE, _NODE_PACKAGES)


def install_ipx() -> None:
    """ipx, apart from the others because it says which sharp it takes."""
    _install_node(IPX_NODE, ("ipx",))


def _install_python(folder: Path, packages: Sequence[str]) -> None:
    marker = folder / ".installed"
    if marker.exists():
        return
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *packages], check=True)
    marker.touch()


def _install_node(folder: Path, packages: Sequence[str]) -> None:
    marker = folder / ".installed"
    if marker.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    environment = os.environ | {"NPM_CONFIG_FUND": "false", "NPM_CONFIG_AUDIT": "false"}
    subprocess.run(["npm", "install", "--silent", *packages], cwd=folder, env=environment, check=True)
    marker.touch()
