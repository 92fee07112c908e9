"""Reports: what they count, and that it is right."""
