"""Training: one loop, and a task for each system that is trained with it."""
