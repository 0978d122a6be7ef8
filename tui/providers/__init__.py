"""The services as data: the file format, and the reading of replies into reports and faults."""
