"""What embedders share that run a network."""
