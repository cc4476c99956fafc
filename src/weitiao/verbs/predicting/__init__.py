"""What `weitiao predict` is made of: the parts of a file, who answers them, and the file of answers."""
