"""What a service is told: its file, the environment, what was added on the page."""
