"""What happens to a call, in order, as plain functions over plain values; and the store it ends in."""
