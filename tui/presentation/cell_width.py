"""Width of text in terminal cells: one measure for command line and dashboard."""


def text_width(text: str) -> int:
    """Return the cells that a text without control characters takes."""
    if _is_latin(text):
        return len(text)
    from rich.cells import cell_len  # 3 ms of the start of `list`, and only other scripts need it

    return cell_len(text)


def fit_to_width(text: str, width: int, *, align_right: bool = False, ellipsis: str = "…") -> str:
    """Return the text in exactly `width` cells: padded, or cut and ended with the ellipsis of one cell."""
    padding = " " * (width - text_width(text))
    if padding or text_width(text) == width:
        return padding + text if align_right else text + padding
    if width == 0 or _is_latin(text):
        return text[: width - 1] + ellipsis if width else ""
    from rich.cells import set_cell_size

    return set_cell_size(text, width - 1) + ellipsis


def _is_latin(text: str) -> bool:
    """Return whether every character takes one cell, as all below U+0300 do."""
    return max(text, default="") < "\u0300"
