"""What commands are made of. Imports store and core; never torch, a command or an extra."""
