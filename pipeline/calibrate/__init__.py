"""How far machine and people agree, where they do not, and what to do about it.

``calibrate`` reads the store's reviews; ``agreement`` has the statistics, ``advice`` their meaning.
"""

from pipeline.calibrate.compare import Calibration, calibrate
from pipeline.calibrate.figures import Agreement

__all__ = ["Agreement", "Calibration", "calibrate"]
