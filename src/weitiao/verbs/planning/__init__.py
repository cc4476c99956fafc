"""What a run would take, told before it starts: seconds and bytes."""
