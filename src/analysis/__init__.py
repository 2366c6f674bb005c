"""Everything that is said about a comparison, from its records alone. No torch here."""
