"""Provider files: the format that describes a service, and the parser of its responses into reports and faults."""
