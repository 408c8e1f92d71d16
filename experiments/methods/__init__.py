"""Finetuners and oracles in one table; see README.md."""
