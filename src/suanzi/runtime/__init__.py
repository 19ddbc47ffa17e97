"""Machine code, its cache, and the threads that run it."""
