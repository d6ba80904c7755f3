"""What is predicted of a bundle, beside what is measured."""
