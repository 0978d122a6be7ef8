"""Text in so many terminal cells."""

from rich.cells import cell_len, set_cell_size


def fit(text: str, width: int, *, right: bool = False, cut: str = "…") -> str:
    """The text in exactly `width` cells: padded at its free side, or cut and ended with the sign `cut`."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + cut if width else ""
    padding = " " * (width - length)
    return padding + text if right else text + padding
