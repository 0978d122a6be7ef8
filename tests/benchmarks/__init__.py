"""What the program costs beside its peers, each pair measured in one run. DESIGN.md's "Speed" is what they hold to."""
