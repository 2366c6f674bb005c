"""The command line: what was typed becomes an experiment, and an experiment becomes an answer.

No module here imports torch; a command that trains imports its room when the work starts.
"""
