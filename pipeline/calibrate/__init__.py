"""How well the machine's answers agree with people's, where they differ, and what to change.

``compare`` computes the figures from reviews, ``agreement`` has the statistics, ``figures`` the sentences.
"""

from pipeline.calibrate.compare import Calibration, calibrate
from pipeline.calibrate.figures import Agreement

__all__ = ["Agreement", "Calibration", "calibrate"]
