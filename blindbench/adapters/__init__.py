"""Methods and datasets of the suite in other libraries: one module each, for an optional extra."""
