"""The records on disk, from which every table is made."""
