"""Labels for images that have none, by a run's classifier."""
