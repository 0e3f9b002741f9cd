"""WHAT is asked of WHOM: the study file, and the plan made of it."""
