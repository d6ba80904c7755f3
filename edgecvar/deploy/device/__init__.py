"""The device's half, sent over ssh with every deploy: Python 3.6 and its library alone, nothing else of edgecvar."""
