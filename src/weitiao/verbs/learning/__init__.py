"""What `weitiao learn` is made of: the rows, old and new, and the gate."""
