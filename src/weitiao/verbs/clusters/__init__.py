"""`--cluster ray`: the work of a verb on several workers, on this machine or on a Ray cluster; the extra `ray`.

`session.py` starts or joins Ray. Each of the other files gives the work of one verb to its workers; what they do there
is the verb's own code, so that the outcome is that of one process.
"""
