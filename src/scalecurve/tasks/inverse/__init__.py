"""Tasks on which larger models may do worse (Inverse Scaling Prize, arXiv 2306.09479).

inverse:PATH.csv[:FORMAT]                        a file in one of the Prize's formats (``prize_file``)
inverse:KIND[:trap|:control][:n=300][:seed=0]    our own tasks of the winners' kinds (``pairs``, ``kinds``)
inverse:all                                      every kind, trap and control
"""

from scalecurve.tasks.inverse.load import list_inverse, load_inverse

__all__ = ["list_inverse", "load_inverse"]
