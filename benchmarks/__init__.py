"""What `make bench` runs: figures of this machine, each beside what it is compared with."""
