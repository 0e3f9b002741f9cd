"""What is installed, what this machine can do, and what to mend: ``scalecurve doctor``.

Reads only: package metadata, the files by which the system tells of itself, and a matrix product of a second. It needs
no torch, and where a question cannot be answered on this system the answer is None, never a guess.
"""

from __future__ import annotations

from scalecurve.doctor.checkup import Checkup as Checkup
from scalecurve.doctor.checkup import Finding as Finding
from scalecurve.doctor.checkup import checkup as checkup
