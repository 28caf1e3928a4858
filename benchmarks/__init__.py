"""How fast and how large: ours against the library's own best usual call, as ratios on the same work in one run.

`python -m benchmarks` runs all, `python -m benchmarks NAME` one. One file is one benchmark: it holds the baseline in
full, checks that both sides gave the same, and says what the goal is. docs/benchmarks.md tells how it is measured.
"""
