"""How each number of a table is taken."""
