"""What `make bench` measures on this machine: ratios to something else in the same run, rather than bare figures."""
