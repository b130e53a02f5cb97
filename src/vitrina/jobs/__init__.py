"""Work that runs in processes of its own, and is done once: fits, trials, their folders and the cache of what is finished.

For the board and whatever else fits many models; nothing here knows what is made of the results. A job is plain values in a file
(`worker`), a process is started and watched (`processes`), and what it left is found again by its key (`cache`, `run`).
"""
