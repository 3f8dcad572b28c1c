"""Scorecards and categories: what people write in YAML about calls, judged on the rows of a call.

`load` reads and checks the files, `Scorer` turns the rows of a call into rows of `scores` and `categories`,
`rescore` does so for a whole store.
"""
