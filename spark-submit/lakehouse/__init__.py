"""What the Spark jobs compute: pure transforms, and the small helpers that read and write the lake."""
