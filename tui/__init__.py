"""babeltop: `top` for translation jobs."""

__version__ = "0.1.0"
