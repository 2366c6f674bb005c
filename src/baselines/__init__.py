"""Rows of a table that need no fine-tuning: they say what a score is worth."""
