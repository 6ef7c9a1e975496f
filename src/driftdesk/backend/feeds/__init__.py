"""Where prices come from: a simulated market or files of real history, behind one protocol."""
