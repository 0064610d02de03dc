"""Foreign file formats, read without trusting them."""
