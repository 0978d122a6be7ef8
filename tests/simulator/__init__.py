"""What the simulator promises, each promise a test."""
