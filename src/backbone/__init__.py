"""One transformer for all methods: configuration, ports, checkpoints, cache."""
