"""Long proofs, each one command that prints its counts. The suite runs a short form of each: same code, fewer jobs."""
