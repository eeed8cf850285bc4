"""Work whose module is never loaded to its end: a trainer server that has it as its entry is never ready."""

import time

while True:
    time.sleep(60)
