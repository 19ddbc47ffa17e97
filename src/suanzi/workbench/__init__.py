"""The workbench's server: models opened in worker processes, looked into by a page."""
