"""Tools for every test: the services of the suite (`plugin`) and the shared fixtures (`fixtures`)."""
