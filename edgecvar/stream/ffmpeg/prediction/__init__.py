"""A picture's motion-compensated prediction, and the residual that is left."""
