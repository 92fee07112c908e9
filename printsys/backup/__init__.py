"""A copy of storage/ that is taken while the system runs, and put back."""
