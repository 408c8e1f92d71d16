"""Components for tgap, kept in another package."""
