"""What is built on the SQL port alone."""
