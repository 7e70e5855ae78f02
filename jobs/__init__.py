"""Events to training examples."""

import os

# Read when Arrow is imported. Its own allocators keep for themselves what they once took; the system's gives it back, and a driver that
# lives for a whole day holds what it needs.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
