"""The engine, in virtual time and over real HTTP."""
