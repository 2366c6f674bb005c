"""The runner: cells of task × method × seed, an Optuna study for each task × method."""
