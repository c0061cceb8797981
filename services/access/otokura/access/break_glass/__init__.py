"""Break-glass: two people open every call of their company to one of them, for minutes, and it shows."""
