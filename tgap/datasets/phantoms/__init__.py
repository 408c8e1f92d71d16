"""Chest X-ray phantoms: known factors, the pictures drawn from them, and NIH's file layout."""
