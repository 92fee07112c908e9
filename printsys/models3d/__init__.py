"""What a mesh is: whether a file holds one, and (later) what it is like."""
