"""Whether somebody may do something: `facts` are what is asked, `engine` answers by `files`."""
