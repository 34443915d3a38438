"""The page in the browser: its server, layout, state and answers."""
