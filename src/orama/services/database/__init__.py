"""SQL for tenants: building, limiting and rendering statements."""
