"""How several sessions are shown together."""
