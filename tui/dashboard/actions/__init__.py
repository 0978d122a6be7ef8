"""One function per dashboard command."""
