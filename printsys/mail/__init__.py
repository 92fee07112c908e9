"""From an owed e-mail to a sent one."""
