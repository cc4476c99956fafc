"""What `compress` does behind its door: the rows it judges by, the chain of steps, the artifact, and the ladder."""
