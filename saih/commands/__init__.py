"""The verbs of the command line, one module each; a module is imported only when its verb is used."""
