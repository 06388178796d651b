"""Shows cases and lets people read them: the web application and its interfaces."""
