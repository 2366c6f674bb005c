"""One training run: objective, classifier, heads, metrics and prediction."""
