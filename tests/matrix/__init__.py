"""The product in each release of Horizon that it says it works with, on each Python found here.

    python -m tests.matrix [--release 2024.1 ...] [--python 3.11 ...] [--nova 29 ...]

A cell is a release and a Python. Each has an environment of its own below `.matrix`, with what
`constraints/<release>.txt` names, and gets the wheel as an operator installs it. Only the standard
library is needed, so that any Python can run this.
"""
