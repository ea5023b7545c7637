"""What the peers need, installed into folders of the benchmarks' own under build/: never into the project."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.contenders import BENCH_NODE, BENCH_VENV

_PYTHON_PACKAGES = ("ssimulacra2", "fastapi", "uvicorn[standard]", "python-multipart", "boto3", "pillow")
_NODE_PACKAGES = ("sharp", "fastify", "@fastify/multipart", "@aws-sdk/client-s3")


def install_python() -> None:
    """The judge and the FastAPI service, in a virtual environment."""
    marker = BENCH_VENV / ".installed"
    if marker.exists():
        return
    subprocess.run([sys.executable, "-m", "venv", BENCH_VENV], check=True)
    subprocess.run([BENCH_VENV / "bin" / "python", "-m", "pip", "install", "--quiet", *_PYTHON_PACKAGES], check=True)
    marker.touch()


def install_node() -> None:
    """sharp and the Node service."""
    marker = BENCH_NODE / ".installed"
    if marker.exists():
        return
    BENCH_NODE.mkdir(parents=True, exist_ok=True)
    (BENCH_NODE / "package.json").write_text('{"private": true}\n')
    environment = os.environ | {"NPM_CONFIG_FUND": "false", "NPM_CONFIG_AUDIT": "false"}
    subprocess.run(["npm", "install", "--silent", *_NODE_PACKAGES], cwd=BENCH_NODE, env=environment, check=True)
    marker.touch()
