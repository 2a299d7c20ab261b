"""The dashboard for people: server-rendered pages that work as plain forms and become live with HTMX."""
