"""Job templates, read through importlib.resources; no code lives here.

``@name@`` stands for a value; values in shell lines are quoted for the shell, those in directive lines for
the scheduler. ``driver.sh`` is the part that all schedulers share.
"""
