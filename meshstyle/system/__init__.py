"""The machine: its devices, threads, memory and folders."""
