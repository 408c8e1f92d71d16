"""How the gap is crossed: classifiers and what they look at, compared over seeds."""
