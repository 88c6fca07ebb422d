"""`make bench`: each path of a real node beside its floor, in one run on one machine. See docs/how-to/measure.md."""
