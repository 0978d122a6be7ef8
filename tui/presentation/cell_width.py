"""Text in so many terminal cells."""

from rich.cells import cell_len, set_cell_size


def fit_to_width(text: str, width: int, *, align_right: bool = False, ellipsis: str = "…") -> str:
    """The text in exactly `width` cells: padded at its free side, or cut and ended with the sign `cut`."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + ellipsis if width else ""
    padding = " " * (width - length)
    return padding + text if align_right else text + padding
