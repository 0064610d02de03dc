"""Model files, and the models that are known; the weights of this project's own lie here."""
