"""Where the time goes: a clock, a session as plain data, its summary and report."""
