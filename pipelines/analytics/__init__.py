"""What is read off a conversation once it is known who said what when."""
