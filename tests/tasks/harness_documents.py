"""Documents made for tasks of lm-evaluation-harness, whose data sets are not here: six of each, in its data set's form.

``DOCUMENTS``: task → (how its n-th document looks, what a model that knows it says, by a text of its question).
"""

from harness_chosen import CHOSEN
from harness_forms import Table
from harness_written import WRITTEN

DOCUMENTS: Table = CHOSEN | WRITTEN
