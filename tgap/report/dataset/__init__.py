"""What a dataset holds, before anything is spent on it."""
