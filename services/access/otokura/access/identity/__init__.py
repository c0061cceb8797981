"""Who asks: people and clients, their credentials, and the tokens that they carry."""
