"""Works off rolling runs: observes, decides (`core.run`), applies.

A run does to each host what an admin would do, through the same services and checks: it asks for a
drain, waits until the host is safe to power off, acts, and asks for the return to service. Where a
pass dies at any instruction, the next one finds in the rows, in Nova and in the record of an action
how far it was.
"""
