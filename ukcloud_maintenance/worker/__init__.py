"""Works off drains and looks after hosts in maintenance: observe, decide (in core), apply.

Outside, only the command that runs it needs it.
"""

from .loop import Worker

__all__ = ["Worker"]
