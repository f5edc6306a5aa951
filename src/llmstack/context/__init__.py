"""Fits requests into the window of their model: counts, decides, edits without loss. Pure.

Bodies are never re-serialised as a whole: an edit changes the items that it names, and every other
byte stays as the client sent it. Who has to ask a server or keep something does so elsewhere
(``llmstack.server``); here are values and functions.
"""
