"""Studies: each YAML file is one, by its name."""
