"""Who is calling: passwords, tokens, sign-ins, and the dependencies that routes ask for."""
