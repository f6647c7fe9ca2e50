"""The one place where facts are read for a decision: from OpenStack and the database into frozen
values, which core decides by."""
