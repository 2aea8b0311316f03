"""What every test may use: the services behind the suite (`plugin`) and the shared fixtures (`fixtures`)."""
