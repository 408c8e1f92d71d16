"""Work of a run that several processes share, each on a device of its own."""
