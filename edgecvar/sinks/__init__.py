"""Where decisions go: tables, JSON lines, CSV, an overlay."""
