"""From what a user gives to a recipe: a folder of clips, a CSV, a recipe or its name."""
