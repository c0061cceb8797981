"""What the four services have in common; import the submodules."""
