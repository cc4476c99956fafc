"""Training: batching, one loop, optimiser, schedule, checkpoints. `loop.fit` is the door."""
