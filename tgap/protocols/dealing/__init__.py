"""How patients are dealt."""
