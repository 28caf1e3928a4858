"""The studies that come with concepttransfer, one YAML a study."""
