"""How the training batches of the run's classifier are changed; ``classifier/augment=...``."""
