"""An entry module whose import never ends: its trainer server never gets ready."""

import time

while True:
    time.sleep(60)
