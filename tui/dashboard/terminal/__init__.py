"""Terminal input, suspend, width anchors, opening links: all patches of Textual's private API."""
