"""What is done to a host that was drained, and what must be quiet before the next one is begun.

Nothing here knows of runs or of the database: `command` and `webhook` begin an action and tell
what became of it, `alerts` asks a Prometheus. Who calls them records what was intended before.
"""
