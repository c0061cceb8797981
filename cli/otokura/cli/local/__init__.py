"""Real servers and the four services as processes of this machine; import the submodules."""
