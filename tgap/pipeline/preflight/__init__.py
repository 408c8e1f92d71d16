"""Whether runs can do what they plan, found out before the first one starts."""
