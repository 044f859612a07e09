"""The imperative shell: store, journal, leader, workers and clock, around the pure core."""
