"""The page of a measurement, a prediction, or one beside the other."""
