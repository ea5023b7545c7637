"""Paths to invalidate: each once, none that another covers, and few wildcards instead of many."""

from __future__ import annotations

import random

import pytest

from app.services.cloudfront.control_api import Room
from app.services.cloudfront.paths import PathSet, check_path, merge_paths, widen_wildcards
from app.services.cloudfront.queue import Entry
from app.services.cloudfront.worker import plan_batch


def covers(paths: PathSet, path: str) -> bool:
    """Whether CloudFront forgets this file."""
    return path in paths.files or any(path.startswith(wildcard[:-1]) for wildcard in paths.wildcards)


def test_a_wildcard_swallows_what_it_covers() -> None:
    """Nothing is paid for twice."""
    merged = merge_paths(["/a/1", "/a/1", "/a/2*", "/a/2", "/a/2/x*", "/a/2/y", "/b/*", "/b", "/b/", "/a/2*"])
    assert merged == PathSet(files=("/a/1", "/b"), wildcards=("/a/2*", "/b/*"))
    assert merge_paths(["/*", "/a", "/a/*"]) == PathSet((), ("/*",))


@pytest.mark.parametrize("seed", range(20))
def test_merging_and_widening_lose_nothing(seed: int) -> None:
    """However paths are merged, everything that was to be forgotten is."""
    generator = random.Random(seed)
    letters = [generator.choice(["a", "b", "ab", "c"]) for _ in range(400)]
    paths = [
        f"/{'/'.join(letters[at : at + generator.randint(1, 4)])}{generator.choice(['', '*', '/*'])}"
        for at in range(80)
    ]
    merged = merge_paths(paths)
    widened = widen_wildcards(merged, most=3)
    assert len(widened.wildcards) <= 3
    for path in paths:
        for file in [path] if not path.endswith("*") else [path[:-1], f"{path[:-1]}x/y"]:
            assert covers(merged, file)
            assert covers(widened, file)
    for path in merged.all:
        others = PathSet(*(tuple(each for each in group if each != path) for group in (merged.files, merged.wildcards)))
        assert not covers(others, path.removesuffix("*"))


def test_wildcards_are_widened_where_most_are_neighbours() -> None:
    """Deleting one owner's many images forgets that owner's variants, and nobody else's."""
    many = [f"/variants/users/1/{number}/*" for number in range(20)] + ["/variants/users/2/7/*"]
    assert widen_wildcards(merge_paths(many), most=15).wildcards == ("/variants/users/1/*", "/variants/users/2/7/*")
    owners = [f"/variants/users/{number}/1/*" for number in range(20)]
    assert widen_wildcards(merge_paths(owners), most=15).wildcards == ("/variants/users/*",)


@pytest.mark.parametrize("path", ["", "a", "/a b", "/é", "/a*b", "/*/a", f"/{'a' * 4000}", "/a\n"])
def test_what_is_no_path_is_refused(path: str) -> None:
    """What CloudFront would refuse for ever does not get into the queue."""
    with pytest.raises(ValueError, match="begins with /"):
        check_path(path)


def entries_of(*groups: list[str]) -> list[Entry]:
    return [Entry(f"e{at:05}", tuple(group)) for at, group in enumerate(groups)]


def test_a_batch_keeps_within_the_room() -> None:
    """As many whole entries as fit, from the oldest on; none is cut in two."""
    entries = entries_of(*([f"/{at}/{n}" for n in range(10)] for at in range(400)))
    batch = plan_batch(entries, Room(files=3000, wildcards=15))
    assert batch is not None
    assert len(batch.paths) == 3000
    assert batch.entries == tuple(entry.key for entry in entries[:300])
    assert plan_batch(entries, Room(files=9, wildcards=15)) is None
    assert plan_batch(entries_of(["/a/*"]), Room(files=3000, wildcards=0)) is None
    some = plan_batch(entries_of(*([f"/{at}/*"] for at in range(9))), Room(files=3000, wildcards=4))
    assert some is not None
    assert some.paths == ("/0/*", "/1/*", "/2/*", "/3/*")


def test_a_batch_of_many_wildcards_is_widened() -> None:
    """A thousand deleted images are one invalidation, not a queue of an hour."""
    groups = [[f"/users/1/{at}.jpg", f"/variants/users/1/{at}/*"] for at in range(1000)]
    batch = plan_batch(entries_of(*groups), Room(files=3000, wildcards=15))
    assert batch is not None
    assert len(batch.entries) == 1000
    assert batch.paths[-1] == "/variants/users/1/*"
    assert len(batch.paths) == 1001
