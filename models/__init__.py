"""The speech models: their catalogue, the bundle on disk, and one adapter for each role."""
