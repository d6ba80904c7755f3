"""Every table and picture that a verb prints."""
