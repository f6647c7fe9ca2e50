"""Tells receivers what happened: what a notice says, and how it is handed over."""

from .delivery import SEND_SECONDS, Failed, deliver
from .letter import Letter, letter_of, letter_for_test

__all__ = ["SEND_SECONDS", "Failed", "Letter", "deliver", "letter_of", "letter_for_test"]
