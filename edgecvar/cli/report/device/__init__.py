"""What a device says of itself, for a person."""
