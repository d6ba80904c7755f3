"""Parts of one network that have a file of their own."""
