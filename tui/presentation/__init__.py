"""Text for any front end: views, columns, formatting, sanitizing, JSON. No I/O, no Textual."""
