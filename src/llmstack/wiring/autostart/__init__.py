"""Starting a project's stack at login, by the service manager that the system has."""
