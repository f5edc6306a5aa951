"""Requests and answers of one API in the words of another, through one neutral form.

A reader makes a ``Conversation`` of a request body, a writer makes another API's body of it; the
answer comes back as events. Every API is read and written once, so that N of them need 2 N
translations and not N squared. What an upstream speaks itself is never translated. Pure.
"""
