"""What is to be sent outside: written in the transaction of its cause, so that a process that dies loses nothing."""
