"""What runs by itself: the watch, the nights, Prefect's server, and what is handed on."""
