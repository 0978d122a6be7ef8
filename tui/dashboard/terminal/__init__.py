"""Terminal: input, suspend, width anchors, key bindings, notifications. All use of Textual's private API is here."""
