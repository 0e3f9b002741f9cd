"""One module a format; a new one is a new module here, and no edit elsewhere (see ``scalecurve.io.shape``)."""
