"""The papers: which of their tables a command repeats, with what it differs."""
