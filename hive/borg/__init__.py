"""What can be read of a borg repository and of borg's protocol without a passphrase."""
