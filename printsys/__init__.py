"""A print lab's job system in which the folder is the record."""
