"""Texts as tokens: templates, spans of templates, batches without padding."""
