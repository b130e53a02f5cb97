"""Language models behind one protocol: messages and a schema in, a validated object out."""
