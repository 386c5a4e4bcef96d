"""Pieces of pages: each draws one thing and gives back what the user chose."""
