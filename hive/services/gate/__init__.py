"""What the SSH side asks: who is this key, what may it do, who was turned away.

It is the only room that `sshgate` needs for a decision.
"""
