"""Published data sets: their lists, what they are shipped as, how the papers encoded them."""
