"""A batch that goes on while files arrive (`--watch`)."""
