"""Checkpoints on disk and on the hub: configuration, weights, tokenizer, language head, digest."""
