"""Messages between the dashboard's widgets."""

from textual.message import Message


class RefreshDue(Message):
    """The screen is outdated, or will be earlier than the last tick expected."""
