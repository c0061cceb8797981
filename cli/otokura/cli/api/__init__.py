"""The services' HTTP interfaces, as the command uses them; import the submodules."""
