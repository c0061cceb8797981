"""Otokura's events as JSON Schemas and an AsyncAPI document, made from the models that the services use."""
