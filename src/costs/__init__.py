"""What a method costs on a backbone by itself: time, memory, operations and bytes.

Nothing is trained: what a pass takes depends on the shapes of the weights and not on their values.
"""
