"""The Python contenders behind one loop: a request per line on standard input, an answer per line on standard output.

python -m benchmarks.peers.contender careful_pillow
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.peers.work import Prepare, Renditions, Work

# Imported one by one, so that no contender's memory holds the libraries of another.
_MODULES = {
    "ours": "ours",
    "ours_confined": "ours_confined",
    "codecs": "codecs_alone",
    "codecs_shrunk": "codecs_alone",
    "careful_pillow": "pillow_peers",
    "tuned_pillow": "pillow_peers",
    "naive_pillow": "pillow_peers",
    "pillow_per_width": "pillow_peers",
    "naive_pyvips": "pyvips_peer",
    "whole_limit": "whole_upload",
}


def main() -> None:
    name = sys.argv[1]
    prepare: Prepare = getattr(import_module(f"benchmarks.peers.{_MODULES[name]}"), name)
    run: Callable[[], Renditions] = dict
    made: Renditions = {}
    for line in sys.stdin:
        match json.loads(line):
            case {"prepare": plan}:
                run, made = prepare(Work.from_json(plan)), {}
            case {"save": folder}:
                for file_name, body in made.items():
                    (Path(folder) / file_name).write_bytes(body)
            case _:
                made = run()
        print(json.dumps({file_name: len(body) for file_name, body in made.items()}), flush=True)


if __name__ == "__main__":
    main()
