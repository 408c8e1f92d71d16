"""A sentence for each verdict, by what it is about."""
