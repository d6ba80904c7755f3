"""What comes live, for people and for machines."""
