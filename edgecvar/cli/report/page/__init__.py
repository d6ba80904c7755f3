"""A run or an evaluation as one HTML page that needs nothing beside it."""
