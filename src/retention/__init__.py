"""How much a tuned model forgets: its loss on plain text beside that of the untuned model."""
