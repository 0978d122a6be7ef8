"""Programs that use vendors' own clients, each with the simulator's URL as argument, and print JSON."""
