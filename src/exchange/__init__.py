"""Trained adapters in other libraries' files, and theirs in ours. None of them is imported here."""
