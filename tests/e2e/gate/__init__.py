"""The gate, asked by real programs: ssh, borg, rsync."""
