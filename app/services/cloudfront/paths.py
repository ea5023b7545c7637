"""Sets of invalidation paths: what is one, which are covered by others, and how many wildcards become few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

WILDCARD = "*"
MAX_PATH_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class PathSet:
    """Paths of single files, and paths that end with `*`; sorted, without what another one covers."""

    files: tuple[str, ...]
    wildcards: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.files, *self.wildcards)


def check_path(path: str) -> None:
    """Returns when the path can be invalidated: `/` first, encoded as in URLs, `*` at its end or nowhere.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html

    Raises:
        ValueError: it cannot.
    """
    is_plain = all("!" <= character <= "~" for character in path)
    if not path.startswith("/") or not is_plain or WILDCARD in path[:-1] or len(path) > MAX_PATH_CHARACTERS:
        raise ValueError("a path to invalidate begins with / and is percent-encoded; * is its last character or absent")


def merge_paths(paths: Iterable[str]) -> PathSet:
    """Every path once, without those that a wildcard among them covers."""
    distinct = set(paths)
    stems = {path[:-1] for path in distinct if path.endswith(WILDCARD)}
    lengths = sorted({len(stem) for stem in stems})

    def is_covered(path: str) -> bool:
        # A wildcard is not covered by itself, but by a shorter one.
        longest = len(path) - 2 if path.endswith(WILDCARD) else len(path)
        return any(path[:length] in stems for length in lengths if length <= longest)

    left = sorted(path for path in distinct if not is_covered(path))
    return PathSet(
        files=tuple(path for path in left if not path.endswith(WILDCARD)),
        wildcards=tuple(path for path in left if path.endswith(WILDCARD)),
    )


def widen_wildcards(paths: PathSet, *, most: int) -> PathSet:
    """The same paths, with neighbouring wildcards replaced by one of their folder until there are at most `most`.

    It covers all that was covered, and more: what the CDN forgets needlessly it fetches again. `most` is 1 or more.
    """
    widened = paths
    while len(widened.wildcards) > most:
        widened = merge_paths([*widened.files, *_widen_once(widened.wildcards)])
    return widened


def _widen_once(wildcards: tuple[str, ...]) -> list[str]:
    """The deepest of them lifted into their folders: those of the fullest folder, or all where none has two."""
    depth = max(path.count("/") for path in wildcards)
    folders = {path: _folder_of(path) for path in wildcards if path.count("/") == depth}
    fullest, count = Counter(folders.values()).most_common(1)[0]
    return [
        folders[path] if path in folders and (count == 1 or folders[path] == fullest) else path for path in wildcards
    ]


def _folder_of(wildcard: str) -> str:
    """`/a/b/*` and `/a/b*` are both lifted to `/a/*`, at last to `/*`."""
    inner = wildcard.removesuffix(WILDCARD).rstrip("/")
    return f"{inner.rpartition('/')[0]}/{WILDCARD}"
