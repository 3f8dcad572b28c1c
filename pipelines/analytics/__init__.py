"""What a call's words tell about it: who has which role, what it was about, how it ended."""
