"""Who answers what a server is asked: a bounded queue, batches of like lengths, and workers in processes of their own.

Piece      one record of a request, encoded, with the time by which its answer is due
Ticket     a request: its answers, once all of its pieces are answered
Waiting    the queue: refuses what it cannot hold or not answer in time, and gives out batches
Station    what answers a batch: `Here` in this process, `Worker` in another one
Crew       a queue and its stations, on one version of the models
"""
