"""The pure core: values, events and decisions; no I/O, no clock, no chance."""
