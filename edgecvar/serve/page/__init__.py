"""The page that a service shows itself by."""
