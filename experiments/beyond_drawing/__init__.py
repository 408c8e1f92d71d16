"""How sets are drawn, compared over sizes, guidance and seeds."""
