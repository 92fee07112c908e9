"""The background process: the task queue and what it does."""
