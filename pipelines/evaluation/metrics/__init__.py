"""The metrics, a family a file: functions from a reference and a hypothesis to values that add up."""
