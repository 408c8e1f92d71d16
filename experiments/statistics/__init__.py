"""Are the intervals and tests what they claim to be? By simulation, where the truth is known."""
