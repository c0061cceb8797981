"""People log in to Otokura itself: invitations, passwords, second factors, sessions."""
