"""Messages, arguments that name runs, aligned rows: what a command says and hears."""
