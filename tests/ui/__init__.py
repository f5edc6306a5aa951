"""The web page in a real browser, on a real stack."""
