"""The demo tenant, and the demonstration on it; import the submodules."""
