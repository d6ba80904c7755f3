"""How training looks at a clip differently each time: pure functions on its arrays, other encodings of it, no torch."""
