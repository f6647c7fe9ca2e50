"""Tells receivers what happened: what a notice says, and how it is handed over."""

from .delivery import SEND_SECONDS, Failed, deliver
from .letter import Letter, letter_for_test, letter_of

__all__ = ["SEND_SECONDS", "Failed", "Letter", "deliver", "letter_for_test", "letter_of"]
