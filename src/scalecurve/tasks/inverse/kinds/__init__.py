"""One module a kind of trap; a new kind is a new module here."""
