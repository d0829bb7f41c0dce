"""The JSON Schemas of metadata.json and golden.json; generated."""
