"""The pages of whoever runs this server: who may see them, what they show."""
