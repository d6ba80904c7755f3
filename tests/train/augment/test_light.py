from __future__ import annotations

import numpy as np

from edgecvar.clips.spec import InputSpec
from edgecvar.train.augment.light import lit
from tests.train.augment.clips import clip_of


def test_samples_are_changed_about_the_middle_grey_and_kept_in_range() -> None:
    spec = InputSpec()
    clip = clip_of(np.zeros((1, 2, 8, 8)), frame=True)
    mean, deviation = (np.array(each)[:, None, None] for each in (spec.image_mean, spec.image_std))
    made = lit(clip, 0.1, 2.0, spec)
    for name in ("image", "adjacent", "frame"):
        samples = np.clip(getattr(clip, name) * deviation + mean, 0, 1)
        expected = np.clip((samples - 0.5) * 2 + 0.6, 0, 1)
        found = getattr(made, name) * deviation + mean
        inside = (samples > 0.01) & (samples < 0.99)
        np.testing.assert_allclose(found[inside], expected[inside], atol=1e-5)
        assert found.min() >= -1e-6 and found.max() <= 1 + 1e-6
    np.testing.assert_allclose(made.residual, 2 * clip.residual)
