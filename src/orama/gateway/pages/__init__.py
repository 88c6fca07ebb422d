"""Pages for people, each one answer: style and script stand in the page, and nothing is loaded from anywhere."""
