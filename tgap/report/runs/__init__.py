"""Reports about finished runs."""
