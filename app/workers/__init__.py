"""`keydesk serve --workers N`: a parent that holds the port, and N workers that answer, each a whole server over one database.

The parent forks the workers and replaces those that die. It has no event loop, no thread and no open database, so that a fork
copies nothing of these: what a start does once (migration, journal, set-up link) is done by a child of its own before them.

Each worker has a socket of its own for the port (SO_REUSEPORT), among which the kernel distributes connections evenly; from one
socket for all, the first worker that wakes up accepts all that come together. The parent keeps the sockets open, so that
connections that wait while a worker dies or is replaced are accepted by its successor.

Between the parent and each worker is a socket pair. The parent writes the numbers of signals into it. A worker writes a line end
once it listens, and, when it refuses to run, the reason, which then ends the server: the next worker would refuse as well.
Its end says that the other side has died.
"""
