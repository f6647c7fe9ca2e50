"""Rolling a region: when a run may work, in which order, and how many hosts may be out at once.

Pure parts that know nothing of each other, nor of where a run is recorded.
"""
