"""Long-running proofs, each a command that prints its counts. The suite runs a short form: same code, fewer jobs."""
