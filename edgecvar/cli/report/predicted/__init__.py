"""What is predicted, as text."""
