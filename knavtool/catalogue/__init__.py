"""What components are: the records that ship with knavtool and those of the user, and the objects they stand for."""
