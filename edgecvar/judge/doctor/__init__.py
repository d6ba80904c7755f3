"""What `edgecvar doctor` looks at: libraries, codecs, devices, permissions, and whether a run runs."""
