"""GGUF files: weights, settings and tokenizer in one file."""
