"""Journal writer, pruner, and the fallback without a writable file."""
