"""Trained adapters that answer tables: what MLflow loads and serves."""
