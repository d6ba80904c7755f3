"""What a network starts from."""
