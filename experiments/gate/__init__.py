"""Which faster settings move no number by more than seeds do."""
