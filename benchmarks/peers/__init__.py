"""What the benchmarks compare with: each contender renders the same renditions of the same photos."""
