"""An ablation, before it is trained and after."""
