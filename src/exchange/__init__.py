"""Adapters in the files of PEFT and AdapterHub, both ways. Neither library is imported here."""
