"""How training looks at a clip differently each time: pure functions on a prepared clip's arrays, in numpy alone."""
