"""Messages between those who share a namespace: topics, who hears what, and who is there."""
