"""File formats of strangers: zip packages and 3MF, read within limits."""
