"""What wakes a screen whose widgets follow the time."""

from textual.message import Message


class RefreshDue(Message):
    """What is shown says something else by now, or will do so sooner than the last tick was told."""
