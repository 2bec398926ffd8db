"""The simulator: a few phones, one server, and everything that goes wrong between them, replayable from a seed.

The real replica on its SQLite store speaks to the real application on a real database, in one process and
one thread, on a clock that jumps from one event to the next. A seed decides what people do and what fails;
the oracle holds what happens to the invariants of sync/README.md, at every step where that is cheap and
once more when all is quiet. The same seed gives the same trace, whatever else the process has done before.

    plan.py       a seed's settings and actions, which are all there is to replay
    timeline.py   the virtual clock and its events
    server.py     the application on a copy of one prepared place, its faults, its clock, its backups
    phone.py      a replica on a file of its own: killed, copied, put back, cloned, installed anew
    network.py    what carries requests and loses, repeats, cuts and reorders them
    people.py     what people write        adversary.py  a phone that lies
    oracle.py     what must hold at every step      rest.py  what must hold when all is quiet
    run.py        one seed from its plan to its verdict
    shrink.py     a failing plan made short         bugs.py  faults planted in the product, to test the tester

`--tier postgres` is another day of the same place: requests at work at once, on PostgreSQL.

    baton.py      every statement waits for its turn, which a seed hands out      seats.py  who waits
    backends.py   whoever a lock holds up is stopped, so that PostgreSQL works on one statement at a time
    at_once.py    rounds of requests at once, and what interferes     plan_at_once.py  who is there
    crowd.py      what people write so that it meets                  oracle_among_many.py  what can be held then
    server_on_postgres.py      one database for all seeds, each time as it was in the beginning
    bugs_of_interleaving.py    locks left out     command_at_once.py  what it came to

The shape follows FoundationDB's simulation and Dropbox's Trinity; swarm testing is Groce et al., 2012.
"""
