"""What to run on a client: commands and files for borg, borgmatic, Vorta, systemd, and for reports.

It turns what services know into text; pages show it.
"""
