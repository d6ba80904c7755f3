"""What a person should know of a run, before it learns and after."""
