"""What widgets that follow the time say of it to the screen that wakes them."""

from textual.message import Message


class Sooner(Message):
    """What is shown now says something else sooner than what the last tick was told of: the next one is too late."""
