"""The use cases. They hold all policy, know no protocol and no backend."""
